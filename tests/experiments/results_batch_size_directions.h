// The worlds of experiments/basics/results_batch_size.cpp.
#pragma once

#include "tests/experiments/directions.h"

namespace bnlab::testing {

/// Test errors in percent at batches of 2 and 32, and accuracies in training.
struct BatchErrors {
  double small, usual, small_trained = 0.6, usual_trained = 0.6;
};

inline Truth batch_truth(const BatchErrors& bn, const BatchErrors& none, const BatchErrors& group,
                         const BatchErrors& layer, const BatchErrors& conv_bn, const BatchErrors& conv_group) {
  Truth it;
  const auto put = [&](const std::string& arm, const BatchErrors& errors) {
    const auto tested = [](double trained, double error) {
      return MadeUp{.accuracy = trained, .values = {{"accuracy/test_accuracy", 1 - error / 100}}};
    };
    it.world[arm + ", batch 2"] = tested(errors.small_trained, errors.small);
    it.world[arm + ", batch 32"] = tested(errors.usual_trained, errors.usual);
    return errors.small - errors.usual;
  };
  const double harm = put("MLP, BN", bn), conv_harm = put("CNN, BN", conv_bn);
  it.effects = {{"bn-suffers", harm},
                {"bn-suffers-cnn", conv_harm},
                {"positions-protect", harm - conv_harm},
                {"bn-suffers-in-training", 100 * (bn.usual_trained - bn.small_trained)},
                {"none-stable", put("MLP, no normalization", none)},
                {"group-norm-stable", put("MLP, group norm", group)},
                {"layer-norm-stable", put("MLP, layer norm", layer)},
                {"group-norm-stable-cnn", put("CNN, group norm", conv_group)},
                {"group-norm-better", bn.small - group.small},
                {"group-norm-as-good", bn.usual - group.usual}};
  return it;
}

inline Case results_batch_size_case() {
  std::vector<std::string> learners;
  for (const char* arm :
       {"MLP, BN", "MLP, no normalization", "MLP, group norm", "MLP, layer norm", "CNN, BN", "CNN, group norm"}) {
    learners.push_back(std::string(arm) + ", batch 2");
    learners.push_back(std::string(arm) + ", batch 32");
  }
  return {"results-batch-size",
          {batch_truth({40, 25, 0.5, 0.7}, {27, 26.5}, {25.5, 24}, {28, 27.5}, {30, 23}, {26, 26.8}),
           batch_truth({20, 26, 0.8, 0.55}, {30, 26}, {36, 30}, {20, 27}, {25, 26}, {35, 29})},
          stuck(learners)};
}

}  // namespace bnlab::testing
