#include "bnlab/nn/batch_norm.h"

#include <ATen/ATen.h>

#include <memory>

#include "bnlab/ops/batch_norm.h"

namespace bnlab {

BatchNorm::BatchNorm(const BatchNormOptions& options) : options_(options) {
  TORCH_CHECK(options.channels > 0, "BatchNorm: expected channels > 0, got ", options.channels, ".");
  TORCH_CHECK(options.eps >= 0, "BatchNorm: expected eps >= 0, got ", options.eps, ".");
  TORCH_CHECK(options.momentum >= 0 && options.momentum <= 1, "BatchNorm: expected 0 <= momentum <= 1, got ",
              options.momentum, ".");
  if (options.affine) {
    gamma_ = register_parameter("weight", at::ones({options.channels}));
    beta_ = register_parameter("bias", at::zeros({options.channels}));
  }
  running_mean_ = register_buffer("running_mean", at::zeros({options.channels}));
  running_var_ = register_buffer("running_var", at::ones({options.channels}));
  num_batches_tracked_ = register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
}

at::Tensor BatchNorm::forward(const at::Tensor& x) {
  TORCH_CHECK(x.dim() >= 2 && x.size(1) == options_.channels, "BatchNorm: expected x of sizes (N,", options_.channels,
              ",*), got ", x.sizes(), ".");
  if (!is_training()) {
    return ops::batch_norm_evaluation(x, gamma_, beta_, running_mean_, running_var_, options_.eps);
  }
  const ops::BatchNormOutput out = ops::batch_norm_training(x, gamma_, beta_, options_.eps);
  track(out.mean, out.var_biased, x.numel() / options_.channels);
  return out.y;
}

std::int64_t BatchNorm::num_batches_tracked() const {
  return num_batches_tracked_.item<std::int64_t>();
}

void BatchNorm::track(const at::Tensor& mean, const at::Tensor& var_biased, std::int64_t count) {
  const at::NoGradGuard no_grad;
  const double momentum = options_.momentum;
  const double unbiased = static_cast<double>(count) / static_cast<double>(count - 1);
  running_mean_.mul_(1 - momentum).add_(mean, momentum);
  running_var_.mul_(1 - momentum).add_(var_biased, momentum * unbiased);
  num_batches_tracked_.add_(1);
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
           {.name = "affine", .value = 1, .low = 0, .high = 1, .meaning = "1: learn gamma and beta; 0: do not"}},
          [](std::int64_t channels, const Options& options) -> std::shared_ptr<Norm> {
            return std::make_shared<BatchNorm>(BatchNormOptions{.channels = channels,
                                                                .eps = options.at("eps"),
                                                                .momentum = options.at("momentum"),
                                                                .affine = options.at("affine") != 0});
          }};
}

}  // namespace bnlab
