#include "bnlab/ops/running_statistics.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/MemoryOverlap.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace bnlab::ops {
namespace {

constexpr const char* kName = "bnlab::update_running_statistics";
constexpr const char* kStatistics = "bnlab::evaluation_statistics";

void check_channels(const char* what, const at::Tensor& values, const at::Tensor& mean, at::ScalarType type) {
  TORCH_CHECK(values.dim() == 1 && values.sym_size(0) == mean.sym_size(0) && values.scalar_type() == type, kName,
              ": expected ", what, " of size (", mean.sym_size(0), ") and type ", type, ", got ", values.sym_sizes(),
              " of type ", values.scalar_type(), ".");
  TORCH_CHECK(values.device() == mean.device(), kName, ": expected ", what, " on mean's device ", mean.device(),
              ", got ", values.device(), ".");
}

void check_counter(const char* what, const OptionalTensor& counter) {
  TORCH_CHECK(!counter.has_value() || counter->sym_numel() == 1, kName, ": expected ", what,
              " to be one number, got sizes ", counter->sym_sizes(), ".");
}

void check_window(const OptionalTensor& window_mean, const OptionalTensor& window_var, const at::Tensor& mean,
                  at::ScalarType type) {
  TORCH_CHECK(window_mean.has_value() == window_var.has_value(), kName,
              ": expected window_mean and window_var, or neither; got one of them.");
  if (!window_mean.has_value()) return;
  for (const at::Tensor& window : {*window_mean, *window_var}) {
    TORCH_CHECK(window.dim() == 2 && window.sym_size(0) > 0 && window.sym_size(1) == mean.sym_size(0) &&
                    window.sym_sizes() == window_mean->sym_sizes(),
                kName, ": expected window_mean and window_var of one size (K,", mean.sym_size(0), ") with K > 0, got ",
                window_mean->sym_sizes(), " and ", window_var->sym_sizes(), ".");
    TORCH_CHECK(window.scalar_type() == at::kDouble || window.scalar_type() == type, kName,
                ": expected a window of type Double or the running statistics' ", type, ", got ", window.scalar_type(),
                ".");
  }
}

/// Whether no two elements share memory, for all strides that slicing and transposing give.
bool has_own_elements(const at::Tensor& values) {
  std::vector<std::pair<std::int64_t, std::int64_t>> steps;  // (stride, size), the smallest stride first
  for (std::int64_t dim = 0; dim < values.dim(); ++dim) {
    if (values.size(dim) > 1) steps.emplace_back(values.stride(dim), values.size(dim));
  }
  std::sort(steps.begin(), steps.end());
  std::int64_t extent = 0;
  for (const auto& [stride, size] : steps) {
    if (stride <= extent) return false;
    extent += stride * (size - 1);
  }
  return true;
}

/// What is changed is written once, and apart from the rest. Nothing is known of symbolic sizes, which no memory has.
void check_memory(const std::vector<std::pair<const char*, at::Tensor>>& changed) {
  for (const auto& [what, values] : changed) {
    if (values.unsafeGetTensorImpl()->has_symbolic_sizes_strides()) return;
  }
  for (std::size_t i = 0; i < changed.size(); ++i) {
    const auto& [what, values] = changed[i];
    TORCH_CHECK(has_own_elements(values), kName, ": expected ", what,
                " with memory of its own for each element, got one whose elements overlap, as expand() makes it; clone"
                " it.");
    for (std::size_t j = 0; j < i && values.has_storage() && !values.is_meta(); ++j) {
      const auto& [other, others] = changed[j];
      if (!others.has_storage()) continue;
      const at::MemOverlapStatus shared = at::get_overlap_status(values, others);
      TORCH_CHECK(shared != at::MemOverlapStatus::Full && shared != at::MemOverlapStatus::Partial, kName, ": expected ",
                  other, " and ", what, " apart in memory, got tensors that overlap; clone one of them.");
    }
  }
}

/// The first channel whose statistics are those of finite values, but beyond the range of a type; -1 for none. Of
/// infinite values the mean is infinite or the variance NaN.
std::int64_t beyond_range(const at::Tensor& mean, const at::Tensor& var_biased, double unbiased, at::ScalarType type) {
  const auto means = mean.accessor<double, 1>(), vars = var_biased.accessor<double, 1>();
  const double most = largest_of(type);
  for (std::int64_t c = 0; c < means.size(0); ++c) {
    if (!std::isfinite(means[c]) || std::isnan(vars[c])) continue;
    if (std::abs(means[c]) > most || vars[c] * unbiased > most) return c;
  }
  return -1;
}

bool all_finite(const at::Tensor& values) {
  const auto each = values.accessor<double, 1>();
  for (std::int64_t c = 0; c < each.size(0); ++c) {
    if (!std::isfinite(each[c])) return false;
  }
  return true;
}

/// Tells autograd that a tensor has changed under it.
void bump_version(const at::Tensor& tensor) {
  if (!tensor.is_inference()) tensor.unsafeGetTensorImpl()->bump_version();
}

std::int64_t count_of(const OptionalTensor& counter) {
  return counter.has_value() ? counter->item<std::int64_t>() : 0;
}

/// f(T()) with the type T of a tensor's values.
template <class F>
auto with_values_of(at::ScalarType type, const F& f) {
  return AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, type, "bnlab: running statistics",
                                         [&] { return f(scalar_t()); });
}

/// running = (1 - weight)*running + weight*scale*batch
void blend(const at::Tensor& running, const at::Tensor& batch, double scale, double weight) {
  const auto from = batch.accessor<double, 1>();
  with_values_of(running.scalar_type(), [&](auto value) {
    using T = decltype(value);
    auto to = running.accessor<T, 1>();
    for (std::int64_t c = 0; c < to.size(0); ++c) {
      to[c] = static_cast<T>((1 - weight) * static_cast<double>(to[c]) + weight * (scale * from[c]));
    }
  });
  bump_version(running);
}

/// window[slot] = scale*batch
void put(const at::Tensor& window, std::int64_t slot, const at::Tensor& batch, double scale) {
  const auto from = batch.accessor<double, 1>();
  with_values_of(window.scalar_type(), [&](auto value) {
    using T = decltype(value);
    auto to = window.accessor<T, 2>()[slot];
    for (std::int64_t c = 0; c < to.size(0); ++c) to[c] = static_cast<T>(scale * from[c]);
  });
  bump_version(window);
}

/// running = the mean over those of the window's first slots that hold a batch.
void average(const at::Tensor& running, const at::Tensor& window, const at::Tensor& window_var, std::int64_t slots) {
  const at::Tensor filled = window_var.slice(0, 0, slots).lt(0).logical_not_().to(at::kDouble);
  const at::Tensor values = window.slice(0, 0, slots).to(at::kDouble);
  running.copy_((at::where(filled.gt(0), values, at::zeros({}, values.options())).sum(0) / filled.sum(0)));
}

/// f(c, value) for each of a vector's values, in double.
template <class F>
void for_each(const at::Tensor& values, const F& f) {
  with_values_of(values.scalar_type(), [&](auto value) {
    const auto from = values.accessor<decltype(value), 1>();
    for (std::int64_t c = 0; c < from.size(0); ++c) f(c, static_cast<double>(from[c]));
  });
}

}  // namespace

double largest_of(at::ScalarType type) {
  return with_values_of(type,
                        [](auto value) { return static_cast<double>(std::numeric_limits<decltype(value)>::max()); });
}

void check_running(const at::Tensor& running_mean, const at::Tensor& running_var) {
  TORCH_CHECK(running_mean.dim() == 1 && running_var.sym_sizes() == running_mean.sym_sizes(), kStatistics,
              ": expected running_mean and running_var of one size (C), got ", running_mean.sym_sizes(), " and ",
              running_var.sym_sizes(), ".");
}

Pair evaluation_statistics(const at::Tensor& running_mean, const at::Tensor& running_var, double eps) {
  check_running(running_mean, running_var);
  const auto options = running_mean.options().dtype(at::kDouble);
  const at::Tensor mean = at::empty_symint(running_mean.sym_sizes(), options), rstd = at::empty_like(mean);
  if (!mean.is_meta()) {
    auto* const to_mean = mean.data_ptr<double>();
    auto* const to_rstd = rstd.data_ptr<double>();
    for_each(running_mean, [&](std::int64_t c, double value) { to_mean[c] = value; });
    for_each(running_var, [&](std::int64_t c, double value) { to_rstd[c] = 1 / std::sqrt(value + eps); });
  }
  return {mean, rstd};
}

void check_update(const at::Tensor& mean, const at::Tensor& var_biased, c10::SymInt count,
                  c10::optional<double> momentum, const at::Tensor& running_mean, const at::Tensor& running_var,
                  const OptionalTensor& num_batches_tracked, const OptionalTensor& window_mean,
                  const OptionalTensor& window_var, const OptionalTensor& skipped, const OptionalTensor& step,
                  const OptionalTensor& last_step) {
  TORCH_CHECK(mean.dim() == 1, kName, ": expected mean of size (C), got ", mean.sym_sizes(), ".");
  check_channels("mean", mean, mean, at::kDouble);
  check_channels("var_biased", var_biased, mean, at::kDouble);
  check_channels("running_mean", running_mean, mean, running_mean.scalar_type());
  check_channels("running_var", running_var, mean, running_mean.scalar_type());
  check_counter("num_batches_tracked", num_batches_tracked);
  check_counter("skipped", skipped);
  TORCH_CHECK(step.has_value() == last_step.has_value(), kName,
              ": expected step and last_step, or neither; got one of them.");
  check_counter("step", step);
  check_counter("last_step", last_step);
  check_window(window_mean, window_var, mean, running_mean.scalar_type());
  TORCH_CHECK(count > 1 || mean.sym_size(0) == 0, kName, ": expected a count of at least 2 values per channel, got ",
              count, "; a single value has no variance.");
  TORCH_CHECK(!momentum.has_value() || (*momentum >= 0 && *momentum <= 1), kName,
              ": expected a momentum from 0 to 1, or none for the mean over all batches; got ", *momentum, ".");
  TORCH_CHECK(num_batches_tracked.has_value() || (momentum.has_value() && !window_mean.has_value()), kName,
              ": expected num_batches_tracked, which a mean over batches is counted by, got none.");
  std::vector<std::pair<const char*, at::Tensor>> changed = {{"running_mean", running_mean},
                                                             {"running_var", running_var}};
  if (num_batches_tracked.has_value()) changed.emplace_back("num_batches_tracked", *num_batches_tracked);
  if (window_mean.has_value()) changed.emplace_back("window_mean", *window_mean);
  if (window_var.has_value()) changed.emplace_back("window_var", *window_var);
  if (skipped.has_value()) changed.emplace_back("skipped", *skipped);
  if (last_step.has_value()) changed.emplace_back("last_step", *last_step);
  check_memory(changed);
}

void update_running_statistics(const at::Tensor& mean, const at::Tensor& var_biased, c10::SymInt count,
                               c10::optional<double> momentum, const at::Tensor& running_mean,
                               const at::Tensor& running_var, const OptionalTensor& num_batches_tracked,
                               const OptionalTensor& window_mean, const OptionalTensor& window_var,
                               const OptionalTensor& skipped, const OptionalTensor& step,
                               const OptionalTensor& last_step) {
  check_update(mean, var_biased, count, momentum, running_mean, running_var, num_batches_tracked, window_mean,
               window_var, skipped, step, last_step);
  if (mean.is_meta()) return;

  if (step.has_value() && step->item<std::int64_t>() == last_step->item<std::int64_t>()) return;
  const auto values = static_cast<double>(count.guard_int(__FILE__, __LINE__));
  const double unbiased = values / (values - 1);
  const std::int64_t beyond = beyond_range(mean, var_biased, unbiased, running_mean.scalar_type());
  if (skipped.has_value() && !(beyond < 0 && all_finite(mean) && all_finite(var_biased))) {
    skipped->add_(1);
    if (last_step.has_value()) last_step->copy_(*step);
    return;
  }
  TORCH_CHECK(beyond < 0, kName, ": expected a mean and a variance that running statistics of type ",
              running_mean.scalar_type(), " can hold, got ", mean[beyond].item<double>(), " and ",
              var_biased[beyond].item<double>(), " in channel ", beyond, "; scale the input down.");
  const std::int64_t before = count_of(num_batches_tracked);
  if (window_mean.has_value()) {
    const std::int64_t slot = before % window_mean->size(0), slots = std::min(window_mean->size(0), before + 1);
    put(*window_mean, slot, mean, 1);
    put(*window_var, slot, var_biased, unbiased);
    average(running_mean, *window_mean, *window_var, slots);
    average(running_var, *window_var, *window_var, slots);
  } else {
    const double weight = momentum.value_or(1 / static_cast<double>(before + 1));
    blend(running_mean, mean, 1, weight);
    blend(running_var, var_biased, unbiased, weight);
  }
  if (num_batches_tracked.has_value()) num_batches_tracked->add_(1);
  if (last_step.has_value()) last_step->copy_(*step);
}

}  // namespace bnlab::ops
