// The types of the operators' functions, for each of the places that define or call them: the kernels' side
// (batch_norm_kernels.h), autograd (batch_norm_autograd.h) and the dispatcher (library.h). What they compute is said in
// bnlab/kernels/batch_norm.h; their schemas stand in library.cpp.
//
// x, dy, addend, y, dx, ...: batches (N,C,*). gamma, beta: (C) of the compute type, which is x's own, or float for an
// x of 16 bits. mean, rstd, var_biased: (C) double. relu_mask: uint8, mask_bytes() of batch_layout.h.
// Sizes may be symbolic where tensors have no values (the meta device, PyTorch's fake tensors).
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/SymInt.h>
#include <c10/util/Optional.h>

#include <array>
#include <tuple>

namespace bnlab::ops {

using OptionalTensor = c10::optional<at::Tensor>;
using Pair = std::tuple<at::Tensor, at::Tensor>;
using Triple = std::tuple<at::Tensor, at::Tensor, at::Tensor>;
using Quadruple = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>;
using Quintuple = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

/// Which of (dx, dgamma, dbeta, daddend) are computed; the others are returned undefined.
using WantedGradients = std::array<bool, 4>;
/// Which of (grad_dy, grad_x, grad_gamma) are computed; the others are returned undefined.
using WantedSecond = std::array<bool, 3>;

/// (y, mean, rstd, var_biased, relu_mask). relu_mask has size 0 unless relu and save_mask. An addend needs relu.
using TrainingForward = Quintuple(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                                  const OptionalTensor& addend, bool relu, double eps, bool save_mask);
/// (y, relu_mask)
using EvaluationForward = Pair(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                               const at::Tensor& mean, const at::Tensor& rstd, const OptionalTensor& addend, bool relu,
                               bool save_mask);

/// (dx, dgamma, dbeta, daddend). relu_mask: of a forward pass with ReLU, else none. As functions of dy, x and gamma:
/// mean and rstd are those of x, and derivatives flow through them to x.
using TrainingBackward = Quadruple(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                   const at::Tensor& mean, const at::Tensor& rstd, const OptionalTensor& relu_mask,
                                   double eps, WantedGradients wanted);
/// The same with mean and rstd constant.
using EvaluationBackward = Quadruple(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                     const at::Tensor& mean, const at::Tensor& rstd, const OptionalTensor& relu_mask,
                                     WantedGradients wanted);

/// (grad_dy, grad_x, grad_gamma) of sum(ddx*dx) + sum(ddgamma*dgamma) + sum(ddbeta*dbeta) + sum(ddaddend*daddend).
/// A cotangent that is not given is 0.
using TrainingSecondDerivative = Triple(const OptionalTensor& ddx, const OptionalTensor& ddgamma,
                                        const OptionalTensor& ddbeta, const OptionalTensor& ddaddend,
                                        const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                        const at::Tensor& mean, const at::Tensor& rstd, const OptionalTensor& relu_mask,
                                        double eps, WantedSecond wanted);
using EvaluationSecondDerivative = Triple(const OptionalTensor& ddx, const OptionalTensor& ddgamma,
                                          const OptionalTensor& ddbeta, const OptionalTensor& ddaddend,
                                          const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                          const at::Tensor& mean, const at::Tensor& rstd,
                                          const OptionalTensor& relu_mask, WantedSecond wanted);

/// (mean, rstd); see running_statistics.h.
using EvaluationStatistics = Pair(const at::Tensor& running_mean, const at::Tensor& running_var, double eps);
/// See running_statistics.h.
using RunningUpdate = void(const at::Tensor& mean, const at::Tensor& var_biased, c10::SymInt count,
                           c10::optional<double> momentum, const at::Tensor& running_mean,
                           const at::Tensor& running_var, const OptionalTensor& num_batches_tracked,
                           const OptionalTensor& window_mean, const OptionalTensor& window_var,
                           const OptionalTensor& skipped, const OptionalTensor& step, const OptionalTensor& last_step);

/// Whether the tensor carries a derivative in forward mode.
inline bool has_tangent(const at::Tensor& tensor) {
  return tensor.defined() && tensor._fw_grad(/*level=*/0).defined();
}
inline bool has_tangent(const OptionalTensor& tensor) {
  return tensor.has_value() && has_tangent(*tensor);
}

/// The tensor, or an undefined one.
inline at::Tensor value_or_undefined(const OptionalTensor& tensor) {
  return tensor.has_value() ? *tensor : at::Tensor();
}

/// The reverse of value_or_undefined().
inline OptionalTensor if_defined(const at::Tensor& tensor) {
  return tensor.defined() ? OptionalTensor(tensor) : c10::nullopt;
}

}  // namespace bnlab::ops
