// A small training task on synthetic data for the tests of train, probes, analyses and experiments.
#pragma once

#include <filesystem>
#include <string>

#include "bnlab/data/gaussian.h"
#include "bnlab/data/linear_task.h"
#include "bnlab/nn/norm_list.h"
#include "bnlab/record/run_spec.h"
#include "bnlab/train/training_data.h"
#include "tests/nn/small_norm_options.h"

namespace bnlab::testing {

inline Dataset small_dataset() {
  return make_gaussian({.classes = 4, .channels = 2, .size = 8, .train_count = 64, .test_count = 40});
}

/// A narrow VGG-A on small_dataset(), padded to 32.
inline TrainSpec small_spec(const std::string& norm, int64_t steps = 6) {
  TrainSpec spec;
  spec.data = {"gaussian", small_dataset().digest, "z-score", 32, "none"};
  spec.model.name = "vgg11";
  spec.model.options = {{"width", 0.0625}};
  spec.model.norm.kind = norm;
  spec.model.norm.options = small_norm_options(norm);
  spec.batch = 16;
  spec.steps = steps;
  spec.threads = 1;
  return spec;
}

/// A deep linear network of three layers on make_linear_task({}).
inline TrainSpec small_linear_spec(const std::string& norm, int64_t steps = 6) {
  TrainSpec spec = small_spec(norm, steps);
  spec.data = {"linear", make_linear_task({}).digest, "none", 0, "none"};
  spec.model.name = "dln";
  spec.model.options = {{"layers", 3}, {"normalized", 2}};
  spec.model.init = "glorot-normal";
  spec.optimizer.lr = 1e-4;
  spec.divergence_loss = std::nullopt;
  return spec;
}

}  // namespace bnlab::testing
