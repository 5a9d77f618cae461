// A network's values in double, for what would leave the range of float.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "bnlab/nn/network.h"

namespace bnlab {

inline at::Tensor as_double(const at::Tensor& values) {
  return values.is_floating_point() ? values.detach().to(at::kDouble) : values;
}

/// Parameters, in the order of Network::parameters(), then running statistics; and their values in double.
struct Doubled {
  std::vector<at::Tensor> own, values;
  explicit Doubled(Network& network) : own(network.parameters()) {
    for (const at::Tensor& buffer : network.buffers()) own.push_back(buffer);
    for (const at::Tensor& tensor : own) values.push_back(as_double(tensor));
  }
};

}  // namespace bnlab
