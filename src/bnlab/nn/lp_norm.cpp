#include "bnlab/nn/lp_norm.h"

#include <ATen/ATen.h>

#include <cmath>

namespace bnlab {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

at::Tensor channel_norm(const at::Tensor& x, double p, at::IntArrayRef dims) {
  if (std::isinf(p)) return at::amax(x.abs(), dims, /*keepdim=*/true);
  if (p == 1) return x.abs().mean(dims, /*keepdim=*/true);
  return x.square().mean(dims, /*keepdim=*/true).sqrt();
}

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
      }};
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
  TORCH_CHECK(x.dim() >= 2 && x.size(1) == options_.channels, "LpNorm: expected x of sizes (N,", options_.channels,
              ",*), got ", x.sizes(), ".");
  std::vector<std::int64_t> dims = {0}, shape(static_cast<std::size_t>(x.dim()), 1);
  for (std::int64_t d = 2; d < x.dim(); ++d) dims.push_back(d);
  shape[1] = options_.channels;
  at::Tensor mean = running_mean_.view(shape), norm = running_norm_.view(shape);
  if (is_training()) {
    mean = x.mean(dims, /*keepdim=*/true);
    norm = channel_norm(x, options_.p, dims);
    at::NoGradGuard no_grad;
    running_mean_.lerp_(mean.detach().flatten(), options_.momentum);
    running_norm_.lerp_(norm.detach().flatten(), options_.momentum);
  }
  return (x - mean) * (gamma_.view(shape) / (norm + options_.eps)) + beta_.view(shape);
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
