#include "bnlab/nn/noise.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <torch/csrc/autograd/custom_function.h>

#include <mutex>

#include "bnlab/kernels/noise.h"
#include "bnlab/nn/batch_norm.h"
#include "bnlab/ops/batch_layout.h"
#include "bnlab/ops/checks.h"
#include "bnlab/ops/task_runner.h"

namespace bnlab {
namespace {

const std::vector<OptionInfo> kNoiseOptions = {
    {.name = "mean", .value = 0.5, .low = 0, .meaning = "a channel's mean noise is drawn from -mean to mean"},
    {.name = "scale", .value = 1.25, .low = 1, .meaning = "a channel's mean factor is drawn from 1 to scale"},
    {.name = "mean_spread", .value = 0.1, .low = 0, .meaning = "half width of a channel's noise around its mean"},
    {.name = "scale_spread", .value = 0.1, .low = 0, .meaning = "standard deviation of a channel's factors"}};

NoiseOptions noise_options(const Options& options) {
  return {options.number("mean"), options.number("scale"), options.number("mean_spread"),
          options.number("scale_spread")};
}

/// The noise of one call. It is drawn where it is applied, each time anew and each time the same.
struct NoiseDraw {
  at::Tensor mean, scale;  // (C) float
  double mean_spread = 0, scale_spread = 0;
  int64_t key = 0;
};

int64_t random_key() {
  const at::Generator generator = at::detail::getDefaultCPUGenerator();
  auto* cpu = at::check_generator<at::CPUGeneratorImpl>(generator);
  const std::lock_guard lock(cpu->mutex_);
  return static_cast<int64_t>(cpu->random64());
}

/// s*x + m, or s*x without `shift`. x: float.
at::Tensor noisy(const at::Tensor& x, const NoiseDraw& draw, bool shift) {
  const ops::DenseBatch batch = ops::dense_batch(x);
  at::Tensor y = at::empty_like(batch.tensor);
  const auto key = static_cast<uint64_t>(draw.key);
  ops::AtTaskRunner runner;
  const kernels::AffineNoise noise{.shape = batch.shape(),
                                   .x = batch.tensor.data_ptr<float>(),
                                   .scale = draw.scale.data_ptr<float>(),
                                   .mean = shift ? draw.mean.data_ptr<float>() : nullptr,
                                   .scale_spread = static_cast<float>(draw.scale_spread),
                                   .mean_spread = static_cast<float>(draw.mean_spread),
                                   .key = {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)},
                                   .y = y.data_ptr<float>()};
  ops::check_status("add_noise", kernels::affine_noise(noise, runner));
  return y;
}

/// noisy(), linear in x: the backward pass is noisy() without the shift, and so is every derivative of it.
class AppliedNoise : public torch::autograd::Function<AppliedNoise> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x, const NoiseDraw& draw,
                            bool shift) {
    ctx->saved_data["mean"] = draw.mean;
    ctx->saved_data["scale"] = draw.scale;
    ctx->saved_data["mean_spread"] = draw.mean_spread;
    ctx->saved_data["scale_spread"] = draw.scale_spread;
    ctx->saved_data["key"] = draw.key;
    return noisy(x, draw, shift);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 const torch::autograd::variable_list& dy) {
    auto& saved = ctx->saved_data;
    const NoiseDraw draw{saved["mean"].toTensor(), saved["scale"].toTensor(), saved["mean_spread"].toDouble(),
                         saved["scale_spread"].toDouble(), saved["key"].toInt()};
    return {apply(dy[0], draw, false), {}, {}};
  }
};

class Noisy final : public Norm {
 public:
  Noisy(std::shared_ptr<Norm> norm, const NoiseOptions& options) : norm_(std::move(norm)), options_(options) {
    if (norm_) register_module("norm", norm_);
  }
  at::Tensor forward(const at::Tensor& x) override {
    const at::Tensor y = norm_ ? norm_->forward(x) : x;
    return is_training() ? add_noise(y, options_) : y;
  }

 private:
  std::shared_ptr<Norm> norm_;
  NoiseOptions options_;
};

}  // namespace

at::Tensor add_noise(const at::Tensor& x, const NoiseOptions& options) {
  const auto of_channels = [&](double low, double high) {
    return at::empty({x.size(1)}, x.options().dtype(at::kFloat)).uniform_(low, high);
  };
  NoiseDraw draw;
  draw.mean = of_channels(-options.mean, options.mean);
  draw.scale = of_channels(1, options.scale);
  draw.mean_spread = options.mean_spread;
  draw.scale_spread = options.scale_spread;
  draw.key = random_key();
  if (x.scalar_type() == at::kFloat) return AppliedNoise::apply(x, draw, true);
  const at::Tensor like = at::empty_like(x, x.options().dtype(at::kFloat));
  const at::Tensor s = noisy(at::ones_like(like), draw, false), m = noisy(at::zeros_like(like), draw, true);
  return s.to(x.scalar_type()) * x + m.to(x.scalar_type());
}

NormKind noise_kind() {
  return {"noise", "noise of changing mean and scale, no normalization", kNoiseOptions,
          [](std::int64_t, const Options& options) -> std::shared_ptr<Norm> {
            return std::make_shared<Noisy>(nullptr, noise_options(options));
          },
          NormKind::Over::kOwnBatch};
}

NormKind noisy_batch_norm_kind() {
  const NormKind batch = batch_norm_kind();
  std::vector<OptionInfo> options = batch.options;
  options.insert(options.end(), kNoiseOptions.begin(), kNoiseOptions.end());
  return {"noisy-batch", "batch normalization, then noise of changing mean and scale", options,
          [make_batch = batch.make](std::int64_t channels, const Options& given) -> std::shared_ptr<Norm> {
            return std::make_shared<Noisy>(make_batch(channels, given), noise_options(given));
          },
          NormKind::Over::kOwnBatch};
}

}  // namespace bnlab
