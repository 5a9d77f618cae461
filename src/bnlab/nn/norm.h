// What every normalization layer is to a model.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

namespace bnlab {

/// A layer that normalizes x of shape (N,C) or (N,C,*) and returns y of the same shape and memory format.
/// Training and evaluation mode are the module's own (train(), eval()).
class Norm : public torch::nn::Module {
 public:
  virtual at::Tensor forward(const at::Tensor& x) = 0;

  /// relu(forward(x)), in one pass where the layer can.
  virtual at::Tensor forward_relu(const at::Tensor& x);

  /// relu(forward(x) + addend), in one pass where the layer can: the end of a residual block. addend: like x.
  virtual at::Tensor forward_add_relu(const at::Tensor& x, const at::Tensor& addend);
};

}  // namespace bnlab
