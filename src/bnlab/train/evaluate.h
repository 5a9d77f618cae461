// Loss and accuracy of a network in evaluation mode.
#pragma once

#include "bnlab/nn/network.h"
#include "bnlab/train/training_data.h"

namespace bnlab {

struct Evaluation {
  double loss = 0;      ///< mean cross-entropy, or squared error, of an example
  double accuracy = 0;  ///< share of right answers, 0 to 1; NaN for a regression
  int64_t examples = 0;
};

/// Number of rows of `logits` (N,classes) whose largest entry is at the label. A row with a NaN counts as wrong.
int64_t count_right(const at::Tensor& logits, const at::Tensor& labels);

/// Evaluates on the first `examples` images of a split (0: all). Leaves no trace on the network.
Evaluation evaluate(Network& network, const TrainingData& data, bool train_split, int64_t examples);

}  // namespace bnlab
