#include "bnlab/ops/batch_norm.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <utility>

#include "bnlab/kernels/batch_norm.h"
#include "bnlab/ops/batch_layout.h"
#include "bnlab/ops/batch_norm_composed.h"
#include "bnlab/ops/task_runner.h"

namespace bnlab::ops {
namespace {

using c10::optional;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

void check_status(kernels::Status status, const char* name) {
  TORCH_CHECK(status == kernels::Status::kOk, name, ": ", kernels::message(status), ".");
}

void check_vector(const char* name, const char* what, const at::Tensor& values, const at::Tensor& x) {
  TORCH_CHECK(values.dim() == 1 && values.size(0) == x.size(1), name, ": expected ", what, " of size (", x.size(1),
              "), one value per channel of x, got ", values.sizes(), ".");
  TORCH_CHECK(values.device().is_cpu(), name, ": expected ", what, " on the CPU, got ", values.device(), ".");
}

void check_inputs(const char* name, const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta, double eps) {
  TORCH_CHECK(x.defined(), name, ": expected a batch x, got an undefined tensor.");
  TORCH_CHECK(x.dim() >= 2 && x.dim() <= 5, name, ": expected x of rank 2 to 5, (N,C) or (N,C,*), got sizes ",
              x.sizes(), ".");
  TORCH_CHECK(x.device().is_cpu() && x.layout() == at::kStrided, name, ": expected a dense x on the CPU, got ",
              x.layout(), " on ", x.device(), ".");
  TORCH_CHECK(x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble, name,
              ": expected x of type Float or Double, got ", x.scalar_type(), ".");
  for (const auto& [what, values] : {std::pair{"gamma", gamma}, std::pair{"beta", beta}}) {
    if (!values.defined()) continue;
    check_vector(name, what, values, x);
    TORCH_CHECK(values.scalar_type() == x.scalar_type(), name, ": expected ", what, " of x's type ", x.scalar_type(),
                ", got ", values.scalar_type(), ".");
  }
  TORCH_CHECK(eps >= 0 && std::isfinite(eps), name, ": expected a finite eps >= 0, got ", eps, ".");
}

optional<at::Tensor> if_defined(const at::Tensor& tensor) {
  return tensor.defined() ? optional<at::Tensor>(tensor.contiguous()) : c10::nullopt;
}

template <class T>
const T* data_or_null(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.data_ptr<T>() : nullptr;
}

at::Tensor empty_statistics(const at::Tensor& x) {
  return at::empty({x.size(1)}, x.options().dtype(at::kDouble));
}

/// Which of the gradients are wanted. Autograd counts its edges by the inputs that were defined.
struct Wanted {
  Wanted(const AutogradContext& ctx, bool has_gamma, bool has_beta)
      : dx(ctx.needs_input_grad(0)),
        dgamma(has_gamma && ctx.needs_input_grad(1)),
        dbeta(has_beta && ctx.needs_input_grad(has_gamma ? 2 : 1)) {}
  bool dx, dgamma, dbeta;
};

/// The kernels' gradients; undefined where not wanted.
BatchNormGradients kernel_backward(const char* name, bool training, const Wanted& wanted, const at::Tensor& x,
                                   const at::Tensor& dy, const at::Tensor& gamma, const at::Tensor& mean,
                                   const at::Tensor& rstd) {
  const DenseBatch batch = dense_batch(x);
  const at::Tensor dense_dy = laid_out_like(batch, dy);
  BatchNormGradients out;
  if (wanted.dx) out.dx = at::empty_like(batch.tensor);
  if (wanted.dgamma) out.dgamma = at::empty({x.size(1)}, x.options());
  if (wanted.dbeta) out.dbeta = at::empty({x.size(1)}, x.options());
  AtTaskRunner runner;
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "bnlab::batch_norm_backward", [&] {
    const kernels::Backward<scalar_t> args{.shape = batch.shape,
                                           .x = batch.tensor.data_ptr<scalar_t>(),
                                           .dy = dense_dy.data_ptr<scalar_t>(),
                                           .gamma = data_or_null<scalar_t>(gamma),
                                           .mean = mean.data_ptr<double>(),
                                           .rstd = rstd.data_ptr<double>(),
                                           .dx = wanted.dx ? out.dx.data_ptr<scalar_t>() : nullptr,
                                           .dgamma = wanted.dgamma ? out.dgamma.data_ptr<scalar_t>() : nullptr,
                                           .dbeta = wanted.dbeta ? out.dbeta.data_ptr<scalar_t>() : nullptr};
    check_status(training ? kernels::backward_training(args, runner) : kernels::backward_evaluation(args, runner),
                 name);
  });
  return out;
}

/// Gradients in the order of the inputs of both functions below; those of the other inputs are undefined.
variable_list wanted_only(const Wanted& wanted, const BatchNormGradients& all, std::size_t inputs) {
  variable_list gradients(inputs);
  if (wanted.dx) gradients[0] = all.dx;
  if (wanted.dgamma) gradients[1] = all.dgamma;
  if (wanted.dbeta) gradients[2] = all.dbeta;
  return gradients;
}

constexpr const char* kTraining = "bnlab::batch_norm_training";
constexpr const char* kEvaluation = "bnlab::batch_norm_evaluation";

struct BatchNormTraining : public Function<BatchNormTraining> {
  static variable_list forward(AutogradContext* ctx, const at::Tensor& x, const optional<at::Tensor>& gamma,
                               const optional<at::Tensor>& beta, double eps) {
    const at::Tensor gamma_or_none = gamma.value_or(at::Tensor());
    const at::Tensor beta_or_none = beta.value_or(at::Tensor());
    const DenseBatch batch = dense_batch(x);
    const at::Tensor y = at::empty_like(batch.tensor);
    const at::Tensor mean = empty_statistics(x), rstd = empty_statistics(x), var_biased = empty_statistics(x);
    AtTaskRunner runner;
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), kTraining, [&] {
      check_status(kernels::forward_training<scalar_t>({.shape = batch.shape,
                                                        .x = batch.tensor.data_ptr<scalar_t>(),
                                                        .gamma = data_or_null<scalar_t>(gamma_or_none),
                                                        .beta = data_or_null<scalar_t>(beta_or_none),
                                                        .eps = eps,
                                                        .y = y.data_ptr<scalar_t>(),
                                                        .mean = mean.data_ptr<double>(),
                                                        .rstd = rstd.data_ptr<double>(),
                                                        .var_biased = var_biased.data_ptr<double>()},
                                                       runner),
                   kTraining);
    });
    ctx->save_for_backward({x, gamma_or_none, mean, rstd});
    ctx->saved_data["eps"] = eps;
    ctx->saved_data["has_beta"] = beta.has_value();
    ctx->mark_non_differentiable({mean, var_biased});
    ctx->set_materialize_grads(false);
    return {y, mean, var_biased};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& dys) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &gamma = saved[1], &dy = dys[0];
    const Wanted wanted(*ctx, gamma.defined(), ctx->saved_data["has_beta"].toBool());
    if (!dy.defined()) return variable_list(4);
    const BatchNormGradients all =
        at::GradMode::is_enabled()
            ? composed_backward_training(x, dy, gamma, ctx->saved_data["eps"].toDouble())
            : kernel_backward(kTraining, /*training=*/true, wanted, x, dy, gamma, saved[2], saved[3]);
    return wanted_only(wanted, all, 4);
  }
};

struct BatchNormEvaluation : public Function<BatchNormEvaluation> {
  /// mean, rstd: (C) double.
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const optional<at::Tensor>& gamma,
                            const optional<at::Tensor>& beta, const at::Tensor& mean, const at::Tensor& rstd) {
    const at::Tensor gamma_or_none = gamma.value_or(at::Tensor());
    const at::Tensor beta_or_none = beta.value_or(at::Tensor());
    const DenseBatch batch = dense_batch(x);
    const at::Tensor y = at::empty_like(batch.tensor);
    AtTaskRunner runner;
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), kEvaluation, [&] {
      check_status(kernels::forward_evaluation<scalar_t>({.shape = batch.shape,
                                                          .x = batch.tensor.data_ptr<scalar_t>(),
                                                          .gamma = data_or_null<scalar_t>(gamma_or_none),
                                                          .beta = data_or_null<scalar_t>(beta_or_none),
                                                          .mean = mean.data_ptr<double>(),
                                                          .rstd = rstd.data_ptr<double>(),
                                                          .y = y.data_ptr<scalar_t>()},
                                                         runner),
                   kEvaluation);
    });
    ctx->save_for_backward({x, gamma_or_none, mean, rstd});
    ctx->saved_data["has_beta"] = beta.has_value();
    ctx->set_materialize_grads(false);
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& dys) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &gamma = saved[1], &mean = saved[2], &rstd = saved[3], &dy = dys[0];
    const Wanted wanted(*ctx, gamma.defined(), ctx->saved_data["has_beta"].toBool());
    if (!dy.defined()) return variable_list(5);
    const BatchNormGradients all =
        at::GradMode::is_enabled()
            ? composed_backward_evaluation(x, dy, gamma, mean.to(x.scalar_type()), rstd.to(x.scalar_type()))
            : kernel_backward(kEvaluation, /*training=*/false, wanted, x, dy, gamma, mean, rstd);
    return wanted_only(wanted, all, 5);
  }
};

}  // namespace

BatchNormOutput batch_norm_training(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta, double eps) {
  check_inputs(kTraining, x, gamma, beta, eps);
  const std::int64_t count = x.size(1) == 0 ? 0 : x.numel() / x.size(1);
  TORCH_CHECK(x.size(1) == 0 || count > 1, kTraining, ": expected at least 2 values per channel, got ", count,
              " in x of sizes ", x.sizes(),
              "; a single value has no variance. Use larger batches, drop the last incomplete batch of an epoch, or"
              " use evaluation mode (frozen statistics) for this layer.");
  const variable_list outputs = BatchNormTraining::apply(x, if_defined(gamma), if_defined(beta), eps);
  return {.y = outputs[0], .mean = outputs[1], .var_biased = outputs[2]};
}

at::Tensor batch_norm_evaluation(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta,
                                 const at::Tensor& running_mean, const at::Tensor& running_var, double eps) {
  check_inputs(kEvaluation, x, gamma, beta, eps);
  for (const auto& [what, values] : {std::pair{"running_mean", running_mean}, std::pair{"running_var", running_var}}) {
    TORCH_CHECK(values.defined(), kEvaluation, ": expected ", what, ", got an undefined tensor.");
    check_vector(kEvaluation, what, values, x);
    TORCH_CHECK(!values.requires_grad(), kEvaluation, ": expected ", what,
                " to be a constant, got a tensor that requires a gradient; detach it.");
  }
  const at::Tensor mean = running_mean.to(at::kDouble).contiguous();
  const at::Tensor rstd = (running_var.to(at::kDouble) + eps).rsqrt_().contiguous();
  return BatchNormEvaluation::apply(x, if_defined(gamma), if_defined(beta), mean, rstd);
}

}  // namespace bnlab::ops
