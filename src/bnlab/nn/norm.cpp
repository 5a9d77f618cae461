#include "bnlab/nn/norm.h"

#include <ATen/ATen.h>

namespace bnlab {

at::Tensor Norm::forward_relu(const at::Tensor& x) {
  return at::relu(forward(x));
}

at::Tensor Norm::forward_add_relu(const at::Tensor& x, const at::Tensor& addend) {
  return at::relu(forward(x) + addend);
}

}  // namespace bnlab
