#include "bnlab/ops/batch_norm_composed.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <cmath>

#include "bnlab/ops/backward_phases.h"
#include "bnlab/ops/batch_layout.h"
#include "bnlab/ops/checks.h"
#include "bnlab/ops/element_type.h"
#include "bnlab/ops/library.h"
#include "bnlab/ops/running_statistics.h"

namespace bnlab::ops::composed {
namespace {

at::Tensor wide(const at::Tensor& values) {
  return values.to(at::kDouble);
}

/// The means over channels' elements: (1,C,1,...).
at::Tensor mean_of(const at::Tensor& values) {
  return values.mean(batch_dims(values.dim()), /*keepdim=*/true);
}

/// x as its derivatives need it, in double; all but xhat are (1,C,1,...).
struct Normalized {
  at::Tensor xhat, mean, var_biased, rstd;
};

/// 2^-k, with 2^k near the largest of a channel's |values| and `least`: squares of what is scaled by it are in range.
/// 1 beside values of a type whose squares a double holds.
at::Tensor scale_of(const at::Tensor& values, double least, at::ScalarType type) {
  if (type != at::kDouble) return at::ones({}, values.options().dtype(at::kDouble));
  constexpr double kLeast = 0x1p-960;
  const at::Tensor largest = values.detach().abs().amax(batch_dims(values.dim()), /*keepdim=*/true);
  return at::exp2(-at::floor(at::log2(largest.clamp_min(std::max(kLeast, least)))));
}

/// The first element of each channel: (1,C,1,...).
at::Tensor first_of(const at::Tensor& x) {
  at::Tensor first = x;
  for (const std::int64_t dim : batch_dims(x.dim())) first = first.narrow(dim, 0, 1);
  return first;
}

/// Batch normalization does not change if a channel's first element is taken off, which makes a constant channel 0, nor
/// if the rest is scaled, and eps with it. It is halved first, so that no difference overflows.
Normalized normalized_by_batch(const at::Tensor& x, double eps) {
  const at::Tensor shift = wide(first_of(x.detach())), half = wide(x) * 0.5 - shift * 0.5;
  const double half_eps = std::sqrt(eps) * 0.5;
  const at::Tensor scale = scale_of(half, half_eps, x.scalar_type()), about = half * scale;
  const at::Tensor rest = mean_of(about), centered = about - rest, eps_scaled = scale * half_eps;
  const at::Tensor var = mean_of(centered * centered), rstd = (var + eps_scaled * eps_scaled).rsqrt();
  return {.xhat = centered * rstd,
          .mean = shift + rest / scale * 2,
          .var_biased = var / scale * 2 / scale * 2,
          .rstd = rstd * scale * 0.5};
}

Normalized normalized_by(const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd) {
  const at::Tensor m = per_channel(wide(mean), x.dim()), r = per_channel(wide(rstd), x.dim());
  return {.xhat = (wide(x) - m) * r, .mean = m, .var_biased = {}, .rstd = r};
}

/// gamma, beta, ddgamma or ddbeta as (1,C,1,...) in double, or the number that stands for one that is not given.
at::Tensor parameter(const OptionalTensor& values, const at::Tensor& x, double otherwise) {
  return values.has_value() ? per_channel(wide(*values), x.dim())
                            : at::full({}, otherwise, x.options().dtype(at::kDouble));
}

/// A cotangent like x in double, or 0.
at::Tensor batch_or_zero(const OptionalTensor& values, const at::Tensor& x) {
  return values.has_value() ? wide(*values) : at::zeros_like(x, x.options().dtype(at::kDouble));
}

at::Tensor summed(const at::Tensor& values, const at::Tensor& x) {
  return values.sum(batch_dims(x.dim())).to(compute_type(x.scalar_type()));
}

void refuse_mask(const char* name, bool save_mask) {
  TORCH_CHECK(!save_mask, name,
              ": expected save_mask = false in forward mode and under functorch's transforms, got true; there the"
              " derivative of the ReLU needs no mask.");
}

at::Tensor finished(const at::Tensor& xhat, const at::Tensor& x, const OptionalTensor& gamma,
                    const OptionalTensor& beta, const OptionalTensor& addend, bool relu) {
  at::Tensor z = xhat * parameter(gamma, x, 1) + parameter(beta, x, 0);
  if (addend.has_value()) z = z + wide(*addend);
  return (relu ? at::relu(z) : z).to(x.scalar_type());
}

/// dy where the forward pass's mask lets it through, else 0; in double. Only kernels read a mask: an evaluation's
/// daddend is dy under the mask, here of ones, outside of all transforms.
at::Tensor under_mask(const char* name, const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& relu_mask) {
  if (!relu_mask.has_value()) return wide(dy);
  const c10::DispatchKeySet transforms({c10::DispatchKey::FuncTorchBatched, c10::DispatchKey::FuncTorchGradWrapper,
                                        c10::DispatchKey::Batched, c10::DispatchKey::FuncTorchDynamicLayerFrontMode,
                                        c10::DispatchKey::FuncTorchDynamicLayerBackMode});
  TORCH_CHECK(!relu_mask->key_set().has_any(transforms) && !x.key_set().has(c10::DispatchKey::FuncTorchBatched) &&
                  !x.key_set().has(c10::DispatchKey::Batched),
              name, ": expected relu_mask as a forward pass outside of vmap gives it, got one of a batched x.");
  at::Tensor passes;
  {
    const c10::impl::ExcludeDispatchKeyGuard plain(transforms);
    const at::NoGradGuard no_grad;
    const at::Tensor ones = at::empty_strided(x.sizes(), x.strides(), x.options()).fill_(1);
    const at::Tensor zeros = at::zeros({x.size(1)}, x.options().dtype(at::kDouble));
    constexpr WantedGradients kOnlyAddend{false, false, false, true};
    passes = std::get<3>(dispatched::batch_norm_evaluation_backward.call(ones, ones, c10::nullopt, zeros, zeros,
                                                                         relu_mask, kOnlyAddend))
                 .to(at::kBool);
  }
  return at::where(passes, wide(dy), at::zeros({}, dy.options().dtype(at::kDouble)));
}

/// What both backward passes share, for dx = gamma*rstd*projected.
Quadruple gradients(const Normalized& at_x, const at::Tensor& dz, const at::Tensor& projected, const at::Tensor& x,
                    const OptionalTensor& gamma, const WantedGradients& wanted) {
  at::Tensor dx, dgamma, dbeta, daddend;
  if (wanted[0]) dx = (parameter(gamma, x, 1) * at_x.rstd * projected).to(x.scalar_type());
  if (wanted[1]) dgamma = summed(dz * at_x.xhat, x);
  if (wanted[2]) dbeta = summed(dz, x);
  if (wanted[3]) daddend = dz.to(x.scalar_type());
  return {dx, dgamma, dbeta, daddend};
}

/// In double and with their full shapes: what a second derivative's formulas give.
struct SecondGradients {
  at::Tensor dz, x, gamma;
};

Triple second_gradients(const char* name, const SecondGradients& by, const at::Tensor& x,
                        const OptionalTensor& relu_mask, const WantedSecond& wanted) {
  at::Tensor grad_dy, grad_x, grad_gamma;
  if (wanted[0]) grad_dy = under_mask(name, by.dz, x, relu_mask).to(x.scalar_type());
  if (wanted[1]) grad_x = by.x.to(x.scalar_type());
  if (wanted[2]) grad_gamma = summed(by.gamma, x);
  return {grad_dy, grad_x, grad_gamma};
}

}  // namespace

Quintuple batch_norm_training(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                              const OptionalTensor& addend, bool relu, double eps, bool save_mask) {
  constexpr const char* kName = "bnlab::batch_norm_training";
  check_forward(kName, x, gamma, beta, addend, relu);
  check_eps(kName, eps);
  check_enough_values(kName, x);
  refuse_mask(kName, save_mask);
  const Normalized at_x = normalized_by_batch(x, eps);
  const auto constant = [&](const at::Tensor& statistic) { return statistic.detach().reshape({x.size(1)}); };
  return {finished(at_x.xhat, x, gamma, beta, addend, relu), constant(at_x.mean), constant(at_x.rstd),
          constant(at_x.var_biased), at::empty({0}, x.options().dtype(at::kByte))};
}

Pair batch_norm_evaluation(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                           const at::Tensor& mean, const at::Tensor& rstd, const OptionalTensor& addend, bool relu,
                           bool save_mask) {
  constexpr const char* kName = "bnlab::batch_norm_evaluation";
  check_forward(kName, x, gamma, beta, addend, relu);
  check_statistics(kName, "mean", mean, x);
  check_statistics(kName, "rstd", rstd, x);
  refuse_mask(kName, save_mask);
  return {finished(normalized_by(x, mean, rstd).xhat, x, gamma, beta, addend, relu),
          at::empty({0}, x.options().dtype(at::kByte))};
}

Quadruple batch_norm_training_backward(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                       const at::Tensor& mean, const at::Tensor& rstd, const OptionalTensor& relu_mask,
                                       double eps, WantedGradients wanted) {
  constexpr const char* kName = "bnlab::batch_norm_training_backward";
  check_saved(kName, dy, x, gamma, mean, rstd);
  const Normalized at_x = normalized_by_batch(x, eps);
  const at::Tensor dz = under_mask(kName, dy, x, relu_mask);
  const at::Tensor projected = dz - mean_of(dz) - at_x.xhat * mean_of(dz * at_x.xhat);
  return gradients(at_x, dz, projected, x, gamma, wanted);
}

Quadruple batch_norm_evaluation_backward(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                         const at::Tensor& mean, const at::Tensor& rstd,
                                         const OptionalTensor& relu_mask, WantedGradients wanted) {
  constexpr const char* kName = "bnlab::batch_norm_evaluation_backward";
  check_saved(kName, dy, x, gamma, mean, rstd);
  const at::Tensor dz = under_mask(kName, dy, x, relu_mask);
  return gradients(normalized_by(x, mean, rstd), dz, dz, x, gamma, wanted);
}

// The names are those of docs/operators/second-derivative.md.
Triple batch_norm_training_second_derivative(const OptionalTensor& ddx, const OptionalTensor& ddgamma,
                                             const OptionalTensor& ddbeta, const OptionalTensor& ddaddend,
                                             const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                             const at::Tensor& mean, const at::Tensor& rstd,
                                             const OptionalTensor& relu_mask, double eps, WantedSecond wanted) {
  constexpr const char* kName = "bnlab::batch_norm_training_second_derivative";
  check_saved(kName, dy, x, gamma, mean, rstd);
  check_cotangents(kName, ddx, ddgamma, ddbeta, ddaddend, x);
  const Normalized at_x = normalized_by_batch(x, eps);
  const at::Tensor &xhat = at_x.xhat, s = parameter(gamma, x, 1) * at_x.rstd;
  const at::Tensor v = batch_or_zero(ddx, x), g = under_mask(kName, dy, x, relu_mask);
  const at::Tensor a = parameter(ddgamma, x, 0), b = parameter(ddbeta, x, 0);
  const at::Tensor v_xhat = mean_of(v * xhat), g_xhat = mean_of(g * xhat);
  const at::Tensor inner = mean_of(v * g) - mean_of(v) * mean_of(g) - v_xhat * g_xhat;
  const at::Tensor q = a * g - s * (v * g_xhat + g * v_xhat);
  return second_gradients(kName,
                          {.dz = s * (v - mean_of(v) - xhat * v_xhat) + a * xhat + b + batch_or_zero(ddaddend, x),
                           .x = at_x.rstd * (q - mean_of(q) - xhat * (mean_of(q * xhat) + s * inner)),
                           .gamma = at_x.rstd * (v - mean_of(v) - xhat * v_xhat) * g},
                          x, relu_mask, wanted);
}

Triple batch_norm_evaluation_second_derivative(const OptionalTensor& ddx, const OptionalTensor& ddgamma,
                                               const OptionalTensor& ddbeta, const OptionalTensor& ddaddend,
                                               const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                               const at::Tensor& mean, const at::Tensor& rstd,
                                               const OptionalTensor& relu_mask, WantedSecond wanted) {
  constexpr const char* kName = "bnlab::batch_norm_evaluation_second_derivative";
  check_saved(kName, dy, x, gamma, mean, rstd);
  check_cotangents(kName, ddx, ddgamma, ddbeta, ddaddend, x);
  const Normalized at_x = normalized_by(x, mean, rstd);
  const at::Tensor v = batch_or_zero(ddx, x), g = under_mask(kName, dy, x, relu_mask);
  const at::Tensor a = parameter(ddgamma, x, 0), b = parameter(ddbeta, x, 0);
  return second_gradients(
      kName,
      {.dz = parameter(gamma, x, 1) * at_x.rstd * v + a * at_x.xhat + b + batch_or_zero(ddaddend, x),
       .x = at_x.rstd * a * g,
       .gamma = at_x.rstd * v * g},
      x, relu_mask, wanted);
}

Pair batch_norm_backward_sums(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd,
                              const OptionalTensor& relu_mask) {
  constexpr const char* kName = "bnlab::batch_norm_backward_sums";
  check_saved(kName, dy, x, c10::nullopt, mean, rstd);
  const at::Tensor dz = under_mask(kName, dy, x, relu_mask);
  const std::vector<std::int64_t> dims = batch_dims(x.dim());
  return {dz.sum(dims), (dz * normalized_by(x, mean, rstd).xhat).sum(dims)};
}

Pair batch_norm_backward_by_sums(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                 const at::Tensor& mean, const at::Tensor& rstd, const OptionalTensor& relu_mask,
                                 const at::Tensor& sum_dz, const at::Tensor& sum_dz_xhat, c10::SymInt count,
                                 WantedByPart wanted) {
  constexpr const char* kName = "bnlab::batch_norm_backward_by_sums";
  check_saved(kName, dy, x, gamma, mean, rstd);
  const Normalized at_x = normalized_by(x, mean, rstd);
  const auto m = static_cast<double>(count.guard_int(__FILE__, __LINE__));
  const at::Tensor dz = under_mask(kName, dy, x, relu_mask);
  const at::Tensor mean_dz = per_channel(wide(sum_dz) / m, x.dim());
  const at::Tensor mean_dz_xhat = per_channel(wide(sum_dz_xhat) / m, x.dim());
  const auto [dx, dgamma, dbeta, daddend] =
      gradients(at_x, dz, dz - mean_dz - at_x.xhat * mean_dz_xhat, x, gamma, {wanted[0], false, false, wanted[1]});
  return {dx, daddend};
}

Pair evaluation_statistics(const at::Tensor& running_mean, const at::Tensor& running_var, double eps) {
  check_running(running_mean, running_var);
  return {wide(running_mean), (wide(running_var) + eps).rsqrt()};
}

void update_running_statistics(const at::Tensor& mean, const at::Tensor& var_biased, c10::SymInt count,
                               c10::optional<double> momentum, const at::Tensor& running_mean,
                               const at::Tensor& running_var, const OptionalTensor& num_batches_tracked,
                               const OptionalTensor& window_mean, const OptionalTensor& window_var,
                               const OptionalTensor& skipped, const OptionalTensor& step,
                               const OptionalTensor& last_step) {
  check_update(mean, var_biased, count, momentum, running_mean, running_var, num_batches_tracked, window_mean,
               window_var, skipped, step, last_step);
  const auto values = static_cast<double>(count.guard_int(__FILE__, __LINE__));
  const at::Tensor var_unbiased = var_biased * (values / (values - 1));
  const auto options = mean.options().dtype(at::kBool);
  at::Tensor takes = step.has_value() ? step->ne(*last_step) : at::ones({}, options);
  if (last_step.has_value()) last_step->copy_(*step);
  if (skipped.has_value()) {
    const double most = largest_of(running_mean.scalar_type());
    const at::Tensor good = mean.abs().le(most).logical_and(var_unbiased.abs().le(most)).all();
    skipped->add_(takes.logical_and(good.logical_not()));
    takes = takes.logical_and(good);
  }
  const auto replace = [](const at::Tensor& where, const at::Tensor& old, const at::Tensor& by) {
    old.copy_(at::where(where, by, wide(old)));
  };
  if (window_mean.has_value()) {
    const std::int64_t length = window_mean->size(0);
    const at::Tensor slots = at::arange(length, num_batches_tracked->options()).unsqueeze(-1);
    const at::Tensor here = slots.eq(num_batches_tracked->remainder(length)).logical_and(takes);
    replace(here, *window_mean, mean);
    replace(here, *window_var, var_unbiased);
    const at::Tensor filled = slots.le(*num_batches_tracked).logical_and(window_var->lt(0).logical_not());
    const auto average = [&](const at::Tensor& window) {
      return at::where(filled, wide(window), at::zeros({}, mean.options())).sum(0) / filled.sum(0);
    };
    replace(takes, running_mean, average(*window_mean));
    replace(takes, running_var, average(*window_var));
  } else {
    const at::Tensor weight =
        momentum.has_value() ? at::full({}, *momentum, mean.options()) : 1 / (num_batches_tracked->to(at::kDouble) + 1);
    replace(takes, running_mean, wide(running_mean) * (1 - weight) + mean * weight);
    replace(takes, running_var, wide(running_var) * (1 - weight) + var_unbiased * weight);
  }
  if (num_batches_tracked.has_value()) num_batches_tracked->add_(takes);
}

}  // namespace bnlab::ops::composed
