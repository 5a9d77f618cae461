// Batch normalization in training over the batches of several processes together.
//
// Each rank sends count, mean and variance of its own batch in double; all merge what was sent by Chan's formula, in
// the order of the ranks (BatchMoments). In the backward pass each sends the two sums of its gradients. So a layer has
// two small collectives a step, and its results are the same on all ranks, bit by bit, and from run to run.
#pragma once

#include <cstdint>
#include <memory>

#include "bnlab/nn/ranks.h"
#include "bnlab/ops/batch_norm.h"

namespace bnlab {

struct SynchronizedOutput {
  ops::BatchNormOutput of_rank;  ///< y: of this rank's x. mean, var_biased: of all ranks' together
  std::int64_t count = 0;        ///< values per channel on all ranks
};

/// As ops::batch_norm_training with the statistics of all ranks' batches. x may be of another N on each rank, or empty;
/// the rest is the same on all. Its gradients: x's is of the sum of all ranks' losses; gamma's and beta's are this
/// rank's part, which whoever sums gradients over ranks completes. Collective, the backward pass too: all ranks call it
/// in the same order. No second derivatives.
/// Errors: as ops::batch_norm_training with fewer than two values per channel on all ranks together; RanksError.
[[nodiscard]] SynchronizedOutput synchronized_batch_norm(const std::shared_ptr<Ranks>& ranks, const at::Tensor& x,
                                                         const at::Tensor& gamma, const at::Tensor& beta, double eps,
                                                         const ops::Epilogue& epilogue = {});

}  // namespace bnlab
