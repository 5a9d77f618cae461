#include "bnlab/ops/batch_norm_kernels.h"

#include <ATen/ATen.h>

#include "bnlab/kernels/batch_norm.h"
#include "bnlab/ops/batch_layout.h"
#include "bnlab/ops/batch_norm_composed.h"
#include "bnlab/ops/caching_allocator.h"
#include "bnlab/ops/checks.h"
#include "bnlab/ops/element_type.h"
#include "bnlab/ops/kernel_tensors.h"
#include "bnlab/ops/task_runner.h"

namespace bnlab::ops::native {
namespace {

enum class Mode { kTraining, kEvaluation };

at::Tensor empty_statistics(const at::Tensor& x) {
  return at::empty_symint({x.sym_size(1)}, x.options().dtype(at::kDouble));
}

at::Tensor empty_parameter(const at::Tensor& x) {
  return at::empty_symint({x.sym_size(1)}, x.options().dtype(compute_type(x.scalar_type())));
}

/// What both forward passes read and write, as kernels take it.
class ForwardTensors {
 public:
  ForwardTensors(const char* name, const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                 const OptionalTensor& addend, bool relu, bool save_mask)
      : fusion_(addend.has_value() ? kernels::Fusion::kAddRelu
                : relu             ? kernels::Fusion::kRelu
                                   : kernels::Fusion::kNone) {
    check_forward(name, x, gamma, beta, addend, relu);
    batch_ = dense_batch(x);
    gamma_ = dense_parameter(gamma, x);
    beta_ = dense_parameter(beta, x);
    addend_ = dense_or_undefined(addend, batch_);
    y = empty_like_kept(batch_.tensor);
    relu_mask = relu && save_mask ? empty_mask(batch_) : at::empty({0}, x.options().dtype(at::kByte));
  }

  /// Sets all fields but the statistics.
  template <class E, template <class> class Arguments>
  void fill(Arguments<E>& args) const {
    args.shape = batch_.shape();
    args.x = data_or_null<const E>(batch_.tensor);
    args.gamma = data_or_null<const kernels::Compute<E>>(gamma_);
    args.beta = data_or_null<const kernels::Compute<E>>(beta_);
    args.fusion = fusion_;
    args.addend = data_or_null<const E>(addend_);
    args.y = data_or_null<E>(y);
    args.relu_mask = relu_mask.numel() > 0 ? data_or_null<std::uint8_t>(relu_mask) : nullptr;
  }

  /// The mask of a y that was computed without kernels, if one is to be saved.
  void take_mask_from_y() const {
    if (relu_mask.numel() > 0) relu_mask.copy_(mask_of_result(y));
  }

  at::Tensor y, relu_mask;

 private:
  kernels::Fusion fusion_;
  DenseBatch batch_;
  at::Tensor gamma_, beta_, addend_;
};

template <Mode mode>
Quadruple backward(const char* name, const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                   const at::Tensor& mean, const at::Tensor& rstd, const OptionalTensor& relu_mask, double eps,
                   WantedGradients wanted) {
  const SavedTensors saved(name, dy, x, gamma, mean, rstd, relu_mask);
  at::Tensor dx, dgamma, dbeta, daddend;
  if (wanted[0]) dx = empty_like_kept(saved.batch.tensor);
  if (wanted[1]) dgamma = empty_parameter(x);
  if (wanted[2]) dbeta = empty_parameter(x);
  if (wanted[3]) daddend = empty_like_kept(saved.batch.tensor);
  bool beyond = false;
  if (!x.is_meta()) {
    with_element(x.scalar_type(), [&](auto element) {
      using E = decltype(element);
      kernels::Backward<E> args;
      saved.fill(args);
      args.dx = data_or_null<E>(dx);
      args.dgamma = data_or_null<kernels::Compute<E>>(dgamma);
      args.dbeta = data_or_null<kernels::Compute<E>>(dbeta);
      args.daddend = data_or_null<E>(daddend);
      AtTaskRunner runner;
      beyond = out_of_range(name, mode == Mode::kTraining ? kernels::backward_training(args, runner)
                                                          : kernels::backward_evaluation(args, runner));
    });
  }
  if (beyond) {
    const auto [dx_, dgamma_, dbeta_, daddend_] =
        mode == Mode::kTraining
            ? composed::batch_norm_training_backward(dy, x, gamma, mean, rstd, relu_mask, eps, wanted)
            : composed::batch_norm_evaluation_backward(dy, x, gamma, mean, rstd, relu_mask, wanted);
    take({dx, dgamma, dbeta, daddend}, {dx_, dgamma_, dbeta_, daddend_});
  }
  return {dx, dgamma, dbeta, daddend};
}

template <Mode mode>
Triple second_derivative(const char* name, const OptionalTensor& ddx, const OptionalTensor& ddgamma,
                         const OptionalTensor& ddbeta, const OptionalTensor& ddaddend, const at::Tensor& dy,
                         const at::Tensor& x, const OptionalTensor& gamma, const at::Tensor& mean,
                         const at::Tensor& rstd, const OptionalTensor& relu_mask, double eps, WantedSecond wanted) {
  const SavedTensors saved(name, dy, x, gamma, mean, rstd, relu_mask);
  check_cotangents(name, ddx, ddgamma, ddbeta, ddaddend, x);
  at::Tensor grad_dy, grad_x, grad_gamma;
  if (wanted[0]) grad_dy = empty_like_kept(saved.batch.tensor);
  if (wanted[1]) grad_x = empty_like_kept(saved.batch.tensor);
  if (wanted[2]) grad_gamma = empty_parameter(x);
  bool beyond = false;
  if (!x.is_meta()) {
    const at::Tensor dense_ddx = dense_or_undefined(ddx, saved.batch);
    const at::Tensor dense_ddaddend = dense_or_undefined(ddaddend, saved.batch);
    const at::Tensor dense_ddgamma = dense_parameter(ddgamma, x), dense_ddbeta = dense_parameter(ddbeta, x);
    with_element(x.scalar_type(), [&](auto element) {
      using E = decltype(element);
      kernels::SecondDerivative<E> args;
      saved.fill(args);
      args.ddx = data_or_null<const E>(dense_ddx);
      args.ddgamma = data_or_null<const kernels::Compute<E>>(dense_ddgamma);
      args.ddbeta = data_or_null<const kernels::Compute<E>>(dense_ddbeta);
      args.ddaddend = data_or_null<const E>(dense_ddaddend);
      args.grad_dy = data_or_null<E>(grad_dy);
      args.grad_x = data_or_null<E>(grad_x);
      args.grad_gamma = data_or_null<kernels::Compute<E>>(grad_gamma);
      AtTaskRunner runner;
      beyond = out_of_range(name, mode == Mode::kTraining ? kernels::second_derivative_training(args, runner)
                                                          : kernels::second_derivative_evaluation(args, runner));
    });
  }
  if (beyond) {
    const auto [by_dy, by_x, by_gamma] =
        mode == Mode::kTraining ? composed::batch_norm_training_second_derivative(
                                      ddx, ddgamma, ddbeta, ddaddend, dy, x, gamma, mean, rstd, relu_mask, eps, wanted)
                                : composed::batch_norm_evaluation_second_derivative(
                                      ddx, ddgamma, ddbeta, ddaddend, dy, x, gamma, mean, rstd, relu_mask, wanted);
    take({grad_dy, grad_x, grad_gamma}, {by_dy, by_x, by_gamma});
  }
  return {grad_dy, grad_x, grad_gamma};
}

}  // namespace

Quintuple batch_norm_training(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                              const OptionalTensor& addend, bool relu, double eps, bool save_mask) {
  constexpr const char* kName = "bnlab::batch_norm_training";
  const ForwardTensors tensors(kName, x, gamma, beta, addend, relu, save_mask);
  check_eps(kName, eps);
  check_enough_values(kName, x);
  const at::Tensor mean = empty_statistics(x), rstd = empty_statistics(x), var_biased = empty_statistics(x);
  bool beyond = false;
  if (!x.is_meta()) {
    with_element(x.scalar_type(), [&](auto element) {
      kernels::ForwardTraining<decltype(element)> args;
      tensors.fill(args);
      args.eps = eps;
      args.mean = data_or_null<double>(mean);
      args.rstd = data_or_null<double>(rstd);
      args.var_biased = data_or_null<double>(var_biased);
      AtTaskRunner runner;
      beyond = out_of_range(kName, kernels::forward_training(args, runner));
    });
  }
  if (beyond) {
    const auto [y_, mean_, rstd_, var_biased_, no_mask] =
        composed::batch_norm_training(x, gamma, beta, addend, relu, eps, /*save_mask=*/false);
    take({tensors.y, mean, rstd, var_biased}, {y_, mean_, rstd_, var_biased_});
    tensors.take_mask_from_y();
  }
  return {tensors.y, mean, rstd, var_biased, tensors.relu_mask};
}

Pair batch_norm_evaluation(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                           const at::Tensor& mean, const at::Tensor& rstd, const OptionalTensor& addend, bool relu,
                           bool save_mask) {
  constexpr const char* kName = "bnlab::batch_norm_evaluation";
  const ForwardTensors tensors(kName, x, gamma, beta, addend, relu, save_mask);
  check_statistics(kName, "mean", mean, x);
  check_statistics(kName, "rstd", rstd, x);
  bool beyond = false;
  if (!x.is_meta()) {
    const at::Tensor dense_mean = mean.contiguous(), dense_rstd = rstd.contiguous();
    with_element(x.scalar_type(), [&](auto element) {
      kernels::ForwardEvaluation<decltype(element)> args;
      tensors.fill(args);
      args.mean = data_or_null<const double>(dense_mean);
      args.rstd = data_or_null<const double>(dense_rstd);
      AtTaskRunner runner;
      beyond = out_of_range(kName, kernels::forward_evaluation(args, runner));
    });
  }
  if (beyond) {
    const auto [y_, no_mask] =
        composed::batch_norm_evaluation(x, gamma, beta, mean, rstd, addend, relu, /*save_mask=*/false);
    take({tensors.y}, {y_});
    tensors.take_mask_from_y();
  }
  return {tensors.y, tensors.relu_mask};
}

Quadruple batch_norm_training_backward(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                       const at::Tensor& mean, const at::Tensor& rstd, const OptionalTensor& relu_mask,
                                       double eps, WantedGradients wanted) {
  return backward<Mode::kTraining>("bnlab::batch_norm_training_backward", dy, x, gamma, mean, rstd, relu_mask, eps,
                                   wanted);
}

Quadruple batch_norm_evaluation_backward(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                         const at::Tensor& mean, const at::Tensor& rstd,
                                         const OptionalTensor& relu_mask, WantedGradients wanted) {
  return backward<Mode::kEvaluation>("bnlab::batch_norm_evaluation_backward", dy, x, gamma, mean, rstd, relu_mask,
                                     /*eps=*/0, wanted);
}

Triple batch_norm_training_second_derivative(const OptionalTensor& ddx, const OptionalTensor& ddgamma,
                                             const OptionalTensor& ddbeta, const OptionalTensor& ddaddend,
                                             const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                             const at::Tensor& mean, const at::Tensor& rstd,
                                             const OptionalTensor& relu_mask, double eps, WantedSecond wanted) {
  constexpr const char* kName = "bnlab::batch_norm_training_second_derivative";
  return second_derivative<Mode::kTraining>(kName, ddx, ddgamma, ddbeta, ddaddend, dy, x, gamma, mean, rstd, relu_mask,
                                            eps, wanted);
}

Triple batch_norm_evaluation_second_derivative(const OptionalTensor& ddx, const OptionalTensor& ddgamma,
                                               const OptionalTensor& ddbeta, const OptionalTensor& ddaddend,
                                               const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                               const at::Tensor& mean, const at::Tensor& rstd,
                                               const OptionalTensor& relu_mask, WantedSecond wanted) {
  constexpr const char* kName = "bnlab::batch_norm_evaluation_second_derivative";
  return second_derivative<Mode::kEvaluation>(kName, ddx, ddgamma, ddbeta, ddaddend, dy, x, gamma, mean, rstd,
                                              relu_mask, /*eps=*/0, wanted);
}

}  // namespace bnlab::ops::native
