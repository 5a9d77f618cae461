// The worlds of experiments/basics/scaling.cpp.
#pragma once

#include <fmt/format.h>

#include "tests/experiments/directions.h"

namespace bnlab::testing {

inline const std::vector<std::string> kScaledInputs = {"min-max", "z-score", "equalized", "each image equalized"};

/// What an input reaches: at its four learning rates without BN, and with BN.
struct Reached {
  std::vector<double> plain;
  double bn;
};

inline World scaling_world(const Reached& raw, const std::vector<Reached>& scaled) {
  World world;
  const auto add = [&](const std::string& input, const std::vector<double>& rates, const Reached& reached) {
    for (size_t i = 0; i < rates.size(); ++i) {
      world[fmt::format("{}, rate {}", input, rates[i])].accuracy = reached.plain[i];
    }
    world[input + ", BN, rate 0.1"].accuracy = reached.bn;
  };
  add("raw", {0.0001, 0.0003, 0.001, 0.01}, raw);
  for (size_t i = 0; i < scaled.size(); ++i) add(kScaledInputs[i], {0.01, 0.03, 0.1, 0.3}, scaled[i]);
  return world;
}

// The best rate of each input is another one.
inline std::vector<Case> scaling_cases() {
  const Reached stuck = {{kChance, kChance, kChance, kChance}, kChance};
  return {{"scaling",
           {{scaling_world({{0.4, 0.5, 0.4, 0.3}, 0.800}, {{{0.5, 0.60, 0.5, 0.4}, 0.805},
                                                           {{0.55, 0.6, 0.70, 0.3}, 0.810},
                                                           {{0.4, 0.5, 0.6, 0.75}, 0.815},
                                                           {{0.80, 0.5, 0.6, 0.7}, 0.812}}),
             {{"scaling-speeds-up", 20},
              {"centring-speeds-up", 10},
              {"bn-takes-over", 1},
              {"bn-takes-over-all", 1.5},
              {"scaling-speeds-up-same-rate", 25},
              {"equalization-speeds-up", 5},
              {"each-image-speeds-up", 5}}},
            {scaling_world({{0.4, 0.5, 0.70, 0.65}, 0.5}, {{{0.5, 0.4, 0.4, 0.60}, 0.6},
                                                           {{0.36, 0.50, 0.4, 0.3}, 0.55},
                                                           {{0.45, 0.4, 0.3, 0.3}, 0.8},
                                                           {{0.3, 0.3, 0.40, 0.3}, 0.4}}),
             {{"scaling-speeds-up", -20},
              {"centring-speeds-up", -10},
              {"bn-takes-over", 10},
              {"bn-takes-over-all", 40},
              {"scaling-speeds-up-same-rate", -29},
              {"equalization-speeds-up", -5},
              {"each-image-speeds-up", -5}}}},
           scaling_world(stuck, {stuck, stuck, stuck, stuck})}};
}

}  // namespace bnlab::testing
