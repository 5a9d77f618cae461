// The batch normalization layer, over bnlab::ops. Source: Ioffe & Szegedy 2015, Algorithms 1 and 2 and section 3.1.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "bnlab/nn/batch_moments.h"
#include "bnlab/nn/norm.h"
#include "bnlab/nn/norm_list.h"
#include "bnlab/nn/ranks.h"
#include "bnlab/ops/batch_norm.h"

namespace bnlab {

struct BatchNormOptions {
  std::int64_t channels = 0;
  double eps = 1e-5;                     ///< added to the variance; in units of x squared
  std::optional<double> momentum = 0.1;  ///< weight of a new batch in the running statistics; none: their plain mean
  bool affine = true;                    ///< learn gamma and beta; else gamma = 1, beta = 0
  bool learn_gamma = true;               ///< with affine; else gamma = 1
  bool learn_beta = true;                ///< with affine; else beta = 0
  bool track_running_stats = true;       ///< else evaluation, too, goes by the batch's own statistics
  std::int64_t window = 0;               ///< K > 0: running = the mean over the last K batches, whatever the momentum
  bool skip_nonfinite = false;           ///< a batch whose statistics are not finite leaves the running ones alone
  bool once_per_step = false;            ///< the running statistics take at most one batch a step; see advance_step()
};

/// Training: y by the batch's mean and biased variance, which then go into the running statistics (conventions and
/// modes in bnlab/ops/running_statistics.h). Evaluation: y by the running statistics.
///
/// Parameters "weight" (gamma, ones) and "bias" (beta, zeros), each only if it is learned; buffers "running_mean"
/// (zeros), "running_var" (ones) and "num_batches_tracked" (int64, batches taken), only if track_running_stats:
/// PyTorch's names, so that its checkpoints can be read. Further buffers only where an option asks for them:
/// "window_mean" and "window_var" (K,C) double, and "skipped" (int64).
class BatchNorm final : public Norm {
 public:
  /// Throws c10::Error unless channels > 0, eps >= 0, 0 <= momentum <= 1 and window >= 0, or if an option of the
  /// running statistics is set without track_running_stats.
  explicit BatchNorm(const BatchNormOptions& options);

  /// x: (N,C) or (N,C,*), see ops::batch_norm_training for types and errors. Training needs two values per channel.
  at::Tensor forward(const at::Tensor& x) override;
  at::Tensor forward_relu(const at::Tensor& x) override;
  at::Tensor forward_add_relu(const at::Tensor& x, const at::Tensor& addend) override;

  [[nodiscard]] const BatchNormOptions& options() const { return options_; }
  [[nodiscard]] const at::Tensor& gamma() const { return gamma_; }                ///< (C); undefined unless learned
  [[nodiscard]] const at::Tensor& beta() const { return beta_; }                  ///< (C); undefined unless learned
  [[nodiscard]] const at::Tensor& running_mean() const { return running_mean_; }  ///< undefined unless tracked
  [[nodiscard]] const at::Tensor& running_var() const { return running_var_; }    ///< undefined unless tracked
  [[nodiscard]] std::int64_t num_batches_tracked() const;                         ///< 0 unless tracked
  [[nodiscard]] std::int64_t skipped() const;                                     ///< 0 unless skip_nonfinite

  /// From now on the batches of training are normalized by the statistics of all ranks' batches together
  /// (synchronized_batch_norm.h); null ends that. Evaluation stays as it is.
  void synchronize(std::shared_ptr<Ranks> ranks) { ranks_ = std::move(ranks); }

  /// From now on the statistics of training batches go into `moments`, and the running ones stay; null ends that.
  /// `moments` must live until then. Only with track_running_stats.
  void collect(BatchMoments* moments) { collected_ = moments; }

 private:
  at::Tensor normalized(const at::Tensor& x, const ops::Epilogue& epilogue);
  void track(const at::Tensor& mean, const at::Tensor& var_biased, std::int64_t count);

  BatchNormOptions options_;
  at::Tensor gamma_, beta_;
  at::Tensor running_mean_, running_var_, num_batches_tracked_;
  at::Tensor window_mean_, window_var_, skipped_;
  std::int64_t tracked_step_ = -1;  // the step of the last batch taken
  BatchMoments* collected_ = nullptr;
  std::shared_ptr<Ranks> ranks_;  // null: this process's batches alone
};

/// Begins the next step for all layers with once_per_step; for the training loop. Until it is called first, all is one
/// step.
void advance_step() noexcept;

/// "batch" with the options eps, momentum, and affine, gamma and beta (0 or 1).
NormKind batch_norm_kind();

}  // namespace bnlab
