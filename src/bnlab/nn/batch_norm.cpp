#include "bnlab/nn/batch_norm.h"

#include <ATen/ATen.h>

#include <atomic>
#include <memory>

#include "bnlab/nn/synchronized_batch_norm.h"
#include "bnlab/ops/running_statistics.h"

namespace bnlab {
namespace {

std::atomic<std::int64_t> step = 0;

void check_options(const BatchNormOptions& options) {
  TORCH_CHECK(options.channels > 0, "BatchNorm: expected channels > 0, got ", options.channels, ".");
  TORCH_CHECK(options.eps >= 0, "BatchNorm: expected eps >= 0, got ", options.eps, ".");
  TORCH_CHECK(!options.momentum || (*options.momentum >= 0 && *options.momentum <= 1),
              "BatchNorm: expected 0 <= momentum <= 1 or none, got ", *options.momentum, ".");
  TORCH_CHECK(options.window >= 0, "BatchNorm: expected window >= 0, got ", options.window, ".");
  TORCH_CHECK(options.track_running_stats || (options.window == 0 && !options.skip_nonfinite && !options.once_per_step),
              "BatchNorm: expected track_running_stats with window, skip_nonfinite or once_per_step.");
}

}  // namespace

void advance_step() noexcept {
  ++step;
}

BatchNorm::BatchNorm(const BatchNormOptions& options) : options_(options) {
  check_options(options);
  const std::int64_t channels = options.channels;
  if (options.affine && options.learn_gamma) gamma_ = register_parameter("weight", at::ones({channels}));
  if (options.affine && options.learn_beta) beta_ = register_parameter("bias", at::zeros({channels}));
  if (!options.track_running_stats) return;
  running_mean_ = register_buffer("running_mean", at::zeros({channels}));
  running_var_ = register_buffer("running_var", at::ones({channels}));
  num_batches_tracked_ = register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
  if (options.window > 0) {
    window_mean_ = register_buffer("window_mean", at::zeros({options.window, channels}, at::kDouble));
    window_var_ = register_buffer("window_var", at::full({options.window, channels}, -1.0, at::kDouble));  // unfilled
  }
  if (options.skip_nonfinite) skipped_ = register_buffer("skipped", at::zeros({}, at::kLong));
}

at::Tensor BatchNorm::forward(const at::Tensor& x) {
  return normalized(x, {});
}

at::Tensor BatchNorm::forward_relu(const at::Tensor& x) {
  return normalized(x, {.relu = true});
}

at::Tensor BatchNorm::forward_add_relu(const at::Tensor& x, const at::Tensor& addend) {
  return normalized(x, {.relu = true, .addend = addend});
}

at::Tensor BatchNorm::normalized(const at::Tensor& x, const ops::Epilogue& epilogue) {
  TORCH_CHECK(x.dim() >= 2 && x.size(1) == options_.channels, "BatchNorm: expected x of sizes (N,", options_.channels,
              ",*), got ", x.sizes(), ".");
  if (!is_training() && options_.track_running_stats) {
    return ops::batch_norm_evaluation(x, gamma_, beta_, running_mean_, running_var_, options_.eps, epilogue);
  }
  if (is_training() && ranks_) {
    const auto [out, count] = synchronized_batch_norm(ranks_, x, gamma_, beta_, options_.eps, epilogue);
    if (options_.track_running_stats) track(out.mean, out.var_biased, count);
    return out.y;
  }
  const ops::BatchNormOutput out = ops::batch_norm_training(x, gamma_, beta_, options_.eps, epilogue);
  if (is_training() && options_.track_running_stats) track(out.mean, out.var_biased, x.numel() / options_.channels);
  return out.y;
}

std::int64_t BatchNorm::num_batches_tracked() const {
  return num_batches_tracked_.defined() ? num_batches_tracked_.item<std::int64_t>() : 0;
}

std::int64_t BatchNorm::skipped() const {
  return skipped_.defined() ? skipped_.item<std::int64_t>() : 0;
}

void BatchNorm::track(const at::Tensor& mean, const at::Tensor& var_biased, std::int64_t count) {
  if (collected_) {
    collected_->add(mean, var_biased, count);
    return;
  }
  if (options_.once_per_step) {
    if (tracked_step_ == step) return;
    tracked_step_ = step;
  }
  c10::optional<double> momentum;
  if (options_.momentum) momentum = *options_.momentum;
  ops::update_running_statistics(mean, var_biased, count, momentum, running_mean_, running_var_, num_batches_tracked_,
                                 ops::if_defined(window_mean_), ops::if_defined(window_var_), ops::if_defined(skipped_),
                                 c10::nullopt, c10::nullopt);
}

NormKind batch_norm_kind() {
  return {"batch",
          "batch normalization",
          {{.name = "eps", .value = 1e-5, .low = 0, .meaning = "added to the variance"},
           {.name = "momentum",
            .value = 0.1,
            .low = 0,
            .high = 1,
            .meaning = "weight of a new batch in running statistics"},
           {.name = "affine", .value = 1, .low = 0, .high = 1, .meaning = "1: learn gamma and beta; 0: do not"},
           {.name = "gamma", .value = 1, .low = 0, .high = 1, .meaning = "0: with affine 1, gamma stays 1"},
           {.name = "beta", .value = 1, .low = 0, .high = 1, .meaning = "0: with affine 1, beta stays 0"}},
          [](std::int64_t channels, const Options& options) -> std::shared_ptr<Norm> {
            return std::make_shared<BatchNorm>(BatchNormOptions{.channels = channels,
                                                                .eps = options.number("eps"),
                                                                .momentum = options.number("momentum"),
                                                                .affine = options.number("affine") != 0,
                                                                .learn_gamma = options.number("gamma") != 0,
                                                                .learn_beta = options.number("beta") != 0});
          },
          NormKind::Over::kBatch};
}

}  // namespace bnlab
