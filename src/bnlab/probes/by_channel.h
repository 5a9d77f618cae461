// A layer's values, channel by channel.
#pragma once

#include <ATen/core/Tensor.h>

namespace bnlab {

/// Values of a layer (N, C, …) as (C, m) in double: a row a channel, m values each. Without their graph.
inline at::Tensor by_channel(const at::Tensor& values) {
  return values.detach().to(at::kDouble).transpose(0, 1).flatten(1);
}

}  // namespace bnlab
