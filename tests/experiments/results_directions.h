// The worlds of experiments/basics/results_speed.cpp, results_rates.cpp and results_generalization.cpp.
#pragma once

#include <fmt/format.h>

#include <algorithm>

#include "tests/experiments/directions.h"

namespace bnlab::testing {

inline const std::vector<double> kGridRates = {0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30};

/// A training loss that falls along a line, averaged over two of smoke's twelve steps.
struct Line {
  double loss, falls;
  MadeUp made_up() const { return {.loss = loss, .falls = falls}; }
  double steps_to(double level) const { return 1.5 + (1 - level / loss) / falls; }
  double last_quarter() const { return loss * (1 - falls * 10); }
};

inline double ln_steps(const Line& one, const Line& other) {
  const double level = std::max(one.last_quarter(), other.last_quarter());
  return ln(one.steps_to(level) / other.steps_to(level));
}

/// Where `plain_rate` is the best one without BN, `higher_rate` the next one, and `bn_rate` the best one with BN.
inline Truth speed_truth(double plain_rate, const Line& plain, const Line& same, double higher_rate, const Line& higher,
                         double bn_rate, const Line& best) {
  World world;
  for (const double rate : kGridRates) {
    for (const char* kind : {"BN", "no BN"}) world[fmt::format("{}, rate {}", kind, rate)] = {.loss = 5};
  }
  world[fmt::format("no BN, rate {}", plain_rate)] = plain.made_up();
  world[fmt::format("BN, rate {}", plain_rate)] = same.made_up();
  world[fmt::format("BN, rate {}", higher_rate)] = higher.made_up();
  world[fmt::format("BN, rate {}", bn_rate)] = best.made_up();
  return {world,
          {{"fewer-steps-same-rate", ln_steps(same, plain)},
           {"fewer-steps-best-rates", ln_steps(best, plain)},
           {"higher-rate-speeds-bn-up", ln_steps(higher, same)},
           {"lower-loss-best-rates", ln(best.last_quarter() / plain.last_quarter())}}};
}

/// Training accuracies in the order of the rates; the loss is low where the accuracy is high.
inline World rates_world(const std::vector<double>& bn, const std::vector<double>& plain) {
  World world;
  for (size_t i = 0; i < kGridRates.size(); ++i) {
    world[fmt::format("BN, rate {}", kGridRates[i])] = {.accuracy = bn[i], .loss = 10 * (1 - bn[i])};
    world[fmt::format("no BN, rate {}", kGridRates[i])] = {.accuracy = plain[i], .loss = 10 * (1 - plain[i])};
  }
  return world;
}

/// What the probe sees at steps 0, 4 and 8: the training loss falls and the test accuracy grows along lines.
struct Learner {
  double train_loss, falls, test_accuracy, grows, train_accuracy, test_loss;
  MadeUp made_up() const {
    return {.values = {{"accuracy/train_loss", train_loss},
                       {"accuracy/test_accuracy", test_accuracy},
                       {"accuracy/train_accuracy", train_accuracy},
                       {"accuracy/test_loss", test_loss}},
            .growth = {{"accuracy/train_loss", -falls}, {"accuracy/test_accuracy", grows}}};
  }
  double lowest() const { return train_loss * (1 - 8 * falls); }
  double tested_at(double step) const { return test_accuracy * (1 + grows * step); }
  double tested_where(double level) const { return tested_at((1 - level / train_loss) / falls); }
  double gap() const { return 100 * (train_accuracy - tested_at(8)); }
};

inline double points_at_equal_loss(const Learner& one, const Learner& other) {
  const double level = std::max(one.lowest(), other.lowest());
  return 100 * (one.tested_where(level) - other.tested_where(level));
}

inline Truth generalization_truth(const Learner& bn, const Learner& none, const Learner& layer) {
  return {{{"BN", bn.made_up()}, {"no normalization", none.made_up()}, {"layer normalization", layer.made_up()}},
          {{"better-at-equal-loss", points_at_equal_loss(bn, none)},
           {"better-test-accuracy", 100 * (bn.tested_at(8) - none.tested_at(8))},
           {"smaller-gap", bn.gap() - none.gap()},
           {"lower-test-loss-at-equal-loss", bn.test_loss - none.test_loss},
           {"noise-regularizes", points_at_equal_loss(bn, layer)}}};
}

inline std::vector<Case> results_cases() {
  const std::vector<double> on_plateau(kGridRates.size(), kChance);
  const Learner good{2, 0.1, 0.50, 0.05, 0.8, 1}, middle{2, 0.09, 0.55, 0.02, 0.8, 2}, bad{2, 0.08, 0.45, 0.03, 0.9, 3};
  return {{"results-speed",
           {speed_truth(0.1, {4, 0.05}, {3, 0.06}, 0.3, {2.8, 0.065}, 1, {2.5, 0.07}),
            speed_truth(0.3, {2.5, 0.07}, {4, 0.05}, 1, {4.5, 0.04}, 0.1, {3, 0.06})},
           rates_world(on_plateau, on_plateau)},
          {"results-rates",
           {{rates_world({0.4, 0.5, 0.6, 0.7, 0.8, 0.79, 0.5, 0.25}, {0.5, 0.6, 0.7, 0.5, 0.4, 0.25, 0.25, 0.25}),
             {{"higher-rates-learn", ln(10)},
              {"best-rate-is-higher", ln(10)},
              {"better-at-ten-times", 40},
              {"rate-matters-less", ln(3)}}},
            {rates_world({0.5, 0.6, 0.7, 0.5, 0.4, 0.3, 0.36, 0.25}, {0.4, 0.5, 0.6, 0.7, 0.8, 0.79, 0.6, 0.4}),
             {{"higher-rates-learn", -ln(3)},
              {"best-rate-is-higher", -ln(10)},
              {"better-at-ten-times", -24},
              {"rate-matters-less", -ln(3)}}}},
           rates_world(on_plateau, on_plateau)},
          {"results-generalization",
           {generalization_truth(good, bad, middle), generalization_truth(bad, good, middle)},
           stuck({"BN", "no normalization", "layer normalization"})}};
}

}  // namespace bnlab::testing
