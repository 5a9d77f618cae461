// One process's share of a network's training by several: its part of each batch, and what the ranks tell each other.
//
// The parts are contiguous and as equal as can be. The loss of a part is weighted by its share of the batch's examples,
// so that the gradients, summed over ranks, are those of the batch's mean loss; all ranks then make the same update.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bnlab/data/loader.h"
#include "bnlab/nn/network.h"
#include "bnlab/nn/ranks.h"
#include "bnlab/ranks/gradient_buckets.h"
#include "bnlab/record/run_spec.h"

namespace bnlab {

class RankShare {
 public:
  /// Synchronizes the batch normalizations of `network` if `spec` says so. `network` has the same weights on all ranks.
  RankShare(std::shared_ptr<Ranks> ranks, const TrainSpec& spec, Network& network);

  /// Rank 0's checkpoint, on all ranks; absent if it has none.
  std::optional<std::string> agree_on_start(const std::optional<std::string>& own);

  /// This rank's examples of a batch.
  [[nodiscard]] Batch part(const Batch& batch) const;

  /// Before a step's forward pass: the random numbers of each step and rank are streams of their own, so that a resumed
  /// run draws the same ones.
  void begin_step(int64_t step) const;

  struct Totals {
    double loss = 0;    ///< of the whole batch
    int64_t right = 0;  ///< right answers in the whole batch
    bool stop = false;  ///< whether any rank has been told to stop
  };
  /// The totals of all ranks. loss (batch_loss()), right: of this rank's part.
  Totals totals(double loss, int64_t right, bool stop, const Batch& part);

  /// Leaves in each parameter's gradient that of the whole batch's loss. loss: of this rank's part.
  void backward(const at::Tensor& loss, const Batch& part);

 private:
  [[nodiscard]] double weight(const Batch& part) const;

  std::shared_ptr<Ranks> ranks_;
  uint64_t seed_;
  double batch_;
  GradientBuckets buckets_;
};

}  // namespace bnlab
