#include "bnlab/nn/noise.h"

#include <ATen/ATen.h>

#include "bnlab/nn/batch_norm.h"

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
  std::vector<std::int64_t> per_channel(static_cast<std::size_t>(x.dim()), 1);
  per_channel[1] = x.size(1);
  const at::Tensor mu = at::empty(per_channel, x.options()).uniform_(-options.mean, options.mean);
  const at::Tensor sigma = at::empty(per_channel, x.options()).uniform_(1, options.scale);
  const at::Tensor m = at::empty_like(x).uniform_(-options.mean_spread, options.mean_spread).add_(mu);
  const at::Tensor s = at::empty_like(x).normal_(0, options.scale_spread).add_(sigma);
  return s * x + m;
}

NormKind noise_kind() {
  return {"noise", "noise of changing mean and scale, no normalization", kNoiseOptions,
          [](std::int64_t, const Options& options) -> std::shared_ptr<Norm> {
            return std::make_shared<Noisy>(nullptr, noise_options(options));
          }};
}

NormKind noisy_batch_norm_kind() {
  const NormKind batch = batch_norm_kind();
  std::vector<OptionInfo> options = batch.options;
  options.insert(options.end(), kNoiseOptions.begin(), kNoiseOptions.end());
  return {"noisy-batch", "batch normalization, then noise of changing mean and scale", options,
          [make_batch = batch.make](std::int64_t channels, const Options& given) -> std::shared_ptr<Norm> {
            return std::make_shared<Noisy>(make_batch(channels, given), noise_options(given));
          }};
}

}  // namespace bnlab
