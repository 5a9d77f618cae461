#include "bnlab/nn/lp_norm.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "bnlab/kernels/lp_norm.h"
#include "bnlab/ops/batch_layout.h"
#include "bnlab/ops/checks.h"
#include "bnlab/ops/task_runner.h"

namespace bnlab {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr const char* kName = "LpNorm";

/// The formula in tensor operations, each of which libtorch differentiates: for derivatives beyond the first.
at::Tensor by_formula(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta, double p, double eps) {
  const std::vector<std::int64_t> dims = ops::batch_dims(x.dim());
  const auto mean_of = [&](const at::Tensor& values) { return values.mean(dims, /*keepdim=*/true); };
  const at::Tensor norm = std::isinf(p) ? at::amax(x.abs(), dims, /*keepdim=*/true)
                          : p == 1      ? mean_of(x.abs())
                                        : mean_of(x.square()).sqrt();
  return (x - mean_of(x)) * (ops::per_channel(gamma, x.dim()) / (norm + eps)) + ops::per_channel(beta, x.dim());
}

kernels::LpPower power_of(double p) {
  return std::isinf(p) ? kernels::LpPower::kInfinity : p == 1 ? kernels::LpPower::kOne : kernels::LpPower::kTwo;
}

struct Moments {
  at::Tensor mean, norm;  // (C) double
};

Moments moments_of(const at::Tensor& x, double p) {
  const ops::DenseBatch batch = ops::dense_batch(x);
  const auto of_channels = [&] { return at::empty({x.size(1)}, x.options().dtype(at::kDouble)); };
  const Moments moments{of_channels(), of_channels()};
  ops::AtTaskRunner runner;
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), kName, [&] {
    const kernels::LpMoments out{moments.mean.data_ptr<double>(), moments.norm.data_ptr<double>()};
    ops::check_status(kName,
                      kernels::lp_moments(batch.shape(), power_of(p), batch.tensor.data_ptr<scalar_t>(), out, runner));
  });
  return moments;
}

at::Tensor in_double(const at::Tensor& values) {
  return values.detach().to(at::kDouble).contiguous();
}

/// Training by kernels: the moments are given.
class LpNormOfBatch : public torch::autograd::Function<LpNormOfBatch> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x, const at::Tensor& gamma,
                            const at::Tensor& beta, const Moments& moments, double p, double eps) {
    ctx->save_for_backward({x, gamma, beta, moments.mean, moments.norm});
    ctx->saved_data["p"] = p;
    ctx->saved_data["eps"] = eps;
    const ops::DenseBatch batch = ops::dense_batch(x);
    const at::Tensor scale = in_double(gamma) / (moments.norm + eps), shift = in_double(beta);
    at::Tensor y = at::empty_like(batch.tensor);
    ops::AtTaskRunner runner;
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), kName, [&] {
      const kernels::LpAffine<scalar_t> args{.shape = batch.shape(),
                                             .x = batch.tensor.data_ptr<scalar_t>(),
                                             .mean = moments.mean.data_ptr<double>(),
                                             .scale = scale.data_ptr<double>(),
                                             .shift = shift.data_ptr<double>(),
                                             .y = y.data_ptr<scalar_t>()};
      ops::check_status(kName, kernels::lp_affine(args, runner));
    });
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 const torch::autograd::variable_list& dy) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &gamma = saved[1], &beta = saved[2], &mean = saved[3], &norm = saved[4];
    const double p = ctx->saved_data["p"].toDouble(), eps = ctx->saved_data["eps"].toDouble();
    if (at::GradMode::is_enabled()) return of_formula(x, gamma, beta, p, eps, dy[0]);
    const ops::DenseBatch batch = ops::dense_batch(x);
    const at::Tensor incoming = ops::laid_out_like(batch, dy[0]), factors = in_double(gamma);
    at::Tensor dx = at::empty_like(batch.tensor), dgamma = at::empty_like(factors), dbeta = at::empty_like(factors);
    ops::AtTaskRunner runner;
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), kName, [&] {
      const kernels::LpBackward<scalar_t> args{.shape = batch.shape(),
                                               .power = power_of(p),
                                               .eps = eps,
                                               .x = batch.tensor.data_ptr<scalar_t>(),
                                               .dy = incoming.data_ptr<scalar_t>(),
                                               .mean = mean.data_ptr<double>(),
                                               .norm = norm.data_ptr<double>(),
                                               .gamma = factors.data_ptr<double>(),
                                               .dx = dx.data_ptr<scalar_t>(),
                                               .dgamma = dgamma.data_ptr<double>(),
                                               .dbeta = dbeta.data_ptr<double>()};
      ops::check_status(kName, kernels::lp_backward(args, runner));
    });
    return {dx, dgamma.to(gamma.scalar_type()), dbeta.to(beta.scalar_type()), {}, {}, {}};
  }

 private:
  /// Gradients that can be differentiated again.
  static torch::autograd::variable_list of_formula(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta,
                                                   double p, double eps, const at::Tensor& dy) {
    torch::autograd::variable_list inputs, gradients(6);
    std::vector<std::size_t> places;
    for (const auto& [place, input] : {std::pair<std::size_t, at::Tensor>{0, x}, {1, gamma}, {2, beta}}) {
      if (!input.requires_grad()) continue;
      inputs.push_back(input);
      places.push_back(place);
    }
    const auto found = torch::autograd::grad({by_formula(x, gamma, beta, p, eps)}, inputs, {dy},
                                             /*retain_graph=*/true, /*create_graph=*/true);
    for (std::size_t i = 0; i < places.size(); ++i) gradients[places[i]] = found[i];
    return gradients;
  }
};

NormKind kind_of(const std::string& name, const std::string& title, double p) {
  return {
      name,
      title,
      {{.name = "eps", .value = 1e-5, .low = 0, .meaning = "added to the norm"},
       {.name = "momentum",
        .value = 0.1,
        .low = 0,
        .high = 1,
        .meaning = "weight of a new batch in running statistics"}},
      [p](std::int64_t channels, const Options& options) -> std::shared_ptr<Norm> {
        return std::make_shared<LpNorm>(LpNormOptions{channels, p, options.number("eps"), options.number("momentum")});
      },
      NormKind::Over::kOwnBatch};
}

}  // namespace

LpNorm::LpNorm(const LpNormOptions& options) : options_(options) {
  TORCH_CHECK(options.p == 1 || options.p == 2 || options.p == kInfinity, "LpNorm: expected p = 1, 2 or infinity, got ",
              options.p, ".");
  TORCH_CHECK(options.channels > 0, "LpNorm: expected channels > 0, got ", options.channels, ".");
  TORCH_CHECK(options.eps >= 0, "LpNorm: expected eps >= 0, got ", options.eps, ".");
  TORCH_CHECK(options.momentum >= 0 && options.momentum <= 1, "LpNorm: expected 0 <= momentum <= 1, got ",
              options.momentum, ".");
  gamma_ = register_parameter("weight", at::ones({options.channels}));
  beta_ = register_parameter("bias", at::zeros({options.channels}));
  running_mean_ = register_buffer("running_mean", at::zeros({options.channels}));
  running_norm_ = register_buffer("running_norm", at::ones({options.channels}));
}

at::Tensor LpNorm::forward(const at::Tensor& x) {
  TORCH_CHECK(x.dim() >= 2 && x.size(1) == options_.channels, kName, ": expected x of sizes (N,", options_.channels,
              ",*), got ", x.sizes(), ".");
  TORCH_CHECK(x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble, kName,
              ": expected x of float32 or float64, got ", x.scalar_type(), ".");
  if (!is_training()) {
    const auto seen = [&](const at::Tensor& values) { return ops::per_channel(values, x.dim()); };
    return (x - seen(running_mean_)) * (seen(gamma_) / (seen(running_norm_) + options_.eps)) + seen(beta_);
  }
  const Moments moments = moments_of(x, options_.p);
  {
    const at::NoGradGuard no_grad;
    running_mean_.lerp_(moments.mean.to(running_mean_.scalar_type()), options_.momentum);
    running_norm_.lerp_(moments.norm.to(running_norm_.scalar_type()), options_.momentum);
  }
  return LpNormOfBatch::apply(x, gamma_, beta_, moments, options_.p, options_.eps);
}

NormKind l1_norm_kind() {
  return kind_of("l1", "normalization by the mean absolute value", 1);
}
NormKind l2_norm_kind() {
  return kind_of("l2", "normalization by the root mean square", 2);
}
NormKind linf_norm_kind() {
  return kind_of("linf", "normalization by the largest absolute value", kInfinity);
}

}  // namespace bnlab
