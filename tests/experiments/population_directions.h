// The worlds of experiments/basics/population_statistics.cpp.
#pragma once

#include "tests/experiments/directions.h"

namespace bnlab::testing {

/// Test accuracies and errors of the means that an arm's probe records, at all steps alike.
struct KeptWorld {
  double exact, fast, slow, last_100, last_1, error_1, error_10;
};

inline MadeUp kept_world(const KeptWorld& it) {
  const std::string probe = "population-statistics/";
  return {.values = {{probe + "exact_accuracy", it.exact},
                     {probe + "momentum-0.1_accuracy", it.fast},
                     {probe + "momentum-0.01_accuracy", it.slow},
                     {probe + "last-100_accuracy", it.last_100},
                     {probe + "last-1_accuracy", it.last_1},
                     {probe + "last-1_mean_error", it.error_1},
                     {probe + "last-10_mean_error", it.error_10}}};
}

inline std::vector<Case> population_cases() {
  const std::string mlp8 = "MLP, batch 8", mlp = "MLP, batch 32", mlp128 = "MLP, batch 128", vgg = "VGG-A, batch 32";
  return {{"population-statistics",
           {{{{mlp8, kept_world({0.80, 0.7, 0.6, 0.5, 0.70, 0.8, 0.3})},
              {mlp, kept_world({0.80, 0.79, 0.60, 0.805, 0.7, 0.6, 0.2})},
              {mlp128, kept_world({0.80, 0.7, 0.6, 0.5, 0.4, 0.1, 0.3})},
              {vgg, kept_world({0.90, 0.885, 0.6, 0.91, 0.7, 0.5, 0.3})}},
             {{"moving-average-suffices", -1},
              {"mean-of-batches-suffices", 0.5},
              {"moving-average-suffices-vgg", -1.5},
              {"mean-of-batches-suffices-vgg", 1},
              {"slow-average-lags", 20},
              {"one-batch-costs", 10},
              {"one-batch-is-farther", ln(3)},
              {"small-batches-are-farther", ln(8)}}},
            {{{mlp8, kept_world({0.80, 0.7, 0.6, 0.5, 0.79, 0.2, 0.3})},
              {mlp, kept_world({0.80, 0.70, 0.81, 0.6, 0.7, 0.1, 0.4})},
              {mlp128, kept_world({0.80, 0.7, 0.6, 0.5, 0.4, 0.6, 0.3})},
              {vgg, kept_world({0.90, 0.80, 0.6, 0.95, 0.7, 0.5, 0.3})}},
             {{"moving-average-suffices", -10},
              {"mean-of-batches-suffices", -20},
              {"moving-average-suffices-vgg", -10},
              {"mean-of-batches-suffices-vgg", 5},
              {"slow-average-lags", -1},
              {"one-batch-costs", 1},
              {"one-batch-is-farther", ln(0.25)},
              {"small-batches-are-farther", -ln(3)}}}},
           stuck({mlp8, mlp, mlp128, vgg})}};
}

}  // namespace bnlab::testing
