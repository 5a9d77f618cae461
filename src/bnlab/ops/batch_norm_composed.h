// The derivatives of batch normalization, written with differentiable ATen operators: slow, but right at every order.
// They judge the kernels' second derivative and stand in for what lies beyond it.
#pragma once

#include <ATen/core/Tensor.h>

#include "bnlab/ops/signatures.h"

namespace bnlab::ops {

struct BatchNormGradients {
  at::Tensor dx;      ///< like x
  at::Tensor dgamma;  ///< (C)
  at::Tensor dbeta;   ///< (C)
};

/// The gradients of batch_norm_training as functions of x, dz and gamma; the statistics are computed from x again, so
/// that derivatives flow through them. gamma: (C), or undefined for 1.
[[nodiscard]] BatchNormGradients composed_backward_training(const at::Tensor& x, const at::Tensor& dz,
                                                            const at::Tensor& gamma, double eps);

/// The gradients of batch_norm_evaluation as functions of x, dz and gamma. mean, rstd: (C) of x's type, constants.
[[nodiscard]] BatchNormGradients composed_backward_evaluation(const at::Tensor& x, const at::Tensor& dz,
                                                              const at::Tensor& gamma, const at::Tensor& mean,
                                                              const at::Tensor& rstd);

/// Of the four results of a backward pass; none for 0.
struct Cotangents {
  OptionalTensor ddx, ddgamma, ddbeta, ddaddend;
};

/// The operator batch_norm_training_second_derivative, by autograd through composed_backward_training(); itself
/// differentiable if gradients are enabled. relu_mask: booleans like x, constant; undefined without a ReLU.
/// bfloat16 is computed in float.
[[nodiscard]] Triple composed_second_derivative_training(const Cotangents& cotangents, const at::Tensor& dy,
                                                         const at::Tensor& x, const at::Tensor& gamma,
                                                         const at::Tensor& relu_mask, double eps, WantedSecond wanted);

/// The operator batch_norm_evaluation_second_derivative, likewise. mean, rstd: (C) double.
[[nodiscard]] Triple composed_second_derivative_evaluation(const Cotangents& cotangents, const at::Tensor& dy,
                                                           const at::Tensor& x, const at::Tensor& gamma,
                                                           const at::Tensor& relu_mask, const at::Tensor& mean,
                                                           const at::Tensor& rstd, WantedSecond wanted);

}  // namespace bnlab::ops
