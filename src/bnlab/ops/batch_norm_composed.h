// The derivatives of batch normalization, written with differentiable ATen operators: slow, but right at every order.
#pragma once

#include <ATen/core/Tensor.h>

namespace bnlab::ops {

struct BatchNormGradients {
  at::Tensor dx;      ///< like x
  at::Tensor dgamma;  ///< (C)
  at::Tensor dbeta;   ///< (C)
};

/// The gradients of batch_norm_training as functions of x, dy and gamma; the statistics are computed from x again, so
/// that derivatives flow through them. gamma: (C), or undefined for 1.
[[nodiscard]] BatchNormGradients composed_backward_training(const at::Tensor& x, const at::Tensor& dy,
                                                            const at::Tensor& gamma, double eps);

/// The gradients of batch_norm_evaluation as functions of x, dy and gamma. mean, rstd: (C) of x's type, constants.
[[nodiscard]] BatchNormGradients composed_backward_evaluation(const at::Tensor& x, const at::Tensor& dy,
                                                              const at::Tensor& gamma, const at::Tensor& mean,
                                                              const at::Tensor& rstd);

}  // namespace bnlab::ops
