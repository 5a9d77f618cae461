// The batch normalization layer, over bnlab::ops. Source: Ioffe & Szegedy 2015, Algorithm 1 and section 3.1.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "bnlab/nn/norm.h"
#include "bnlab/nn/norm_list.h"

namespace bnlab {

struct BatchNormOptions {
  std::int64_t channels = 0;
  double eps = 1e-5;      ///< added to the variance; in units of x squared
  double momentum = 0.1;  ///< weight of a new batch in the running statistics
  bool affine = true;     ///< learn gamma and beta; else gamma = 1, beta = 0
};

/// Training: y by the batch's mean and biased variance, and
///   running = (1 - momentum)*running + momentum*batch
/// where running_var averages the unbiased variance (PyTorch's convention). Evaluation: y by the running statistics.
///
/// Parameters "weight" (gamma, ones) and "bias" (beta, zeros), both only if affine; buffers "running_mean" (zeros),
/// "running_var" (ones) and "num_batches_tracked" (int64, batches seen in training): PyTorch's names, so that its
/// checkpoints can be read.
class BatchNorm final : public Norm {
 public:
  /// Throws c10::Error unless channels > 0, eps >= 0 and 0 <= momentum <= 1.
  explicit BatchNorm(const BatchNormOptions& options);

  /// x: (N,C) or (N,C,*), see ops::batch_norm_training for types and errors. Training needs two values per channel.
  at::Tensor forward(const at::Tensor& x) override;

  [[nodiscard]] const BatchNormOptions& options() const { return options_; }
  [[nodiscard]] const at::Tensor& gamma() const { return gamma_; }  ///< (C); undefined unless affine
  [[nodiscard]] const at::Tensor& beta() const { return beta_; }    ///< (C); undefined unless affine
  [[nodiscard]] const at::Tensor& running_mean() const { return running_mean_; }
  [[nodiscard]] const at::Tensor& running_var() const { return running_var_; }
  [[nodiscard]] std::int64_t num_batches_tracked() const;

 private:
  void track(const at::Tensor& mean, const at::Tensor& var_biased, std::int64_t count);

  BatchNormOptions options_;
  at::Tensor gamma_, beta_;
  at::Tensor running_mean_, running_var_, num_batches_tracked_;
};

/// "batch" with the options eps, momentum and affine (0 or 1).
NormKind batch_norm_kind();

}  // namespace bnlab
