// The worlds of experiments/basics/sigmoid_saturation.cpp.
#pragma once

#include "tests/experiments/directions.h"

namespace bnlab::testing {

/// What made-up runs of twelve steps, with a look at every second one, record of a network of sigmoids.
struct MadeUpSigmoids {
  double tested, tested_growth;  ///< test accuracy at the start, and its growth
  double band, band_growth;      ///< drift of the bands of units of layer 3
  double offset, moved;          ///< of the sigmoids' inputs: where they begin, and how far they move a look
  double first, first_growth;    ///< the gradient of layer 1, where that of layer 10 is 1

  MadeUp record() const {
    MadeUp run;
    run.values = {{"accuracy/test_accuracy", tested},
                  {"unit-percentiles/3/drift", band},
                  {"layer-gradients/1/weight", first},
                  {"layer-gradients/10/weight", 1}};
    run.growth = {{"accuracy/test_accuracy", tested_growth},
                  {"unit-percentiles/3/drift", band_growth},
                  {"layer-gradients/1/weight", first_growth}};
    for (int layer = 1; layer <= 10; ++layer) {
      run.values["activations/" + std::to_string(layer) + "/offset"] = offset;
      run.values["activations/" + std::to_string(layer) + "/drift"] = moved;
    }
    return run;
  }

  // Of looks at steps 0, 2, 4; and at 6, 8, 10.
  double tested_early() const { return tested * (1 + 2 * tested_growth); }
  double tested_late() const { return tested * (1 + 8 * tested_growth); }
  double gradient_early() const { return std::log10(first); }
  double gradient_late() const { return std::log10(first * (1 + 8 * first_growth)); }
  /// Of the second of three units, from look `begin` to the last, the fifth.
  double drift_from(double begin) const {
    const auto at = [&](double look) { return 2 * band * (1 + band_growth * 2 * look) * look; };
    return at(5) - at(begin);
  }
  /// In percent, mean over the looks begin … end; sigmoid' is 0.025 at 3.6369.
  double saturated(int begin, int end) const {
    double count = 0;
    for (int look = begin; look <= end; ++look) {
      for (int i = 0; i < 16; ++i) count += std::abs(0.25 * i + offset + look * moved) > 3.6369 ? 1 : 0;
    }
    return 100 * count / (16 * (end - begin + 1));
  }
};

inline Case sigmoid_case() {
  const std::string plain = "3 layers, no BN", bn = "3 layers, BN", deep = "10 layers, no BN",
                    deep_bn = "10 layers, BN", large = "10 layers, 10 × weights, no BN",
                    large_bn = "10 layers, 10 × weights, BN";
  const auto truth = [=](const std::map<std::string, MadeUpSigmoids>& nets) -> Truth {
    Truth it;
    for (const auto& [name, net] : nets) it.world[name] = net.record();
    const auto of = [&](const std::string& name) { return nets.at(name); };
    it.effects = {{"trains-faster", 100 * (of(bn).tested_early() - of(plain).tested_early())},
                  {"more-accurate", 100 * (of(bn).tested_late() - of(plain).tested_late())},
                  {"more-stable", ln(of(bn).drift_from(0) / of(plain).drift_from(0))},
                  {"more-stable-late", ln(of(bn).drift_from(3) / of(plain).drift_from(3))},
                  {"out-of-saturation", of(large_bn).saturated(3, 5) - of(large).saturated(3, 5)},
                  {"deep-more-accurate", 100 * (of(deep_bn).tested_late() - of(deep).tested_late())},
                  {"large-more-accurate", 100 * (of(large_bn).tested_late() - of(large).tested_late())},
                  {"hardly-saturated", of(deep).saturated(0, 0)},
                  {"vanishes-unsaturated", of(deep).gradient_early()},
                  {"large-weights-saturate", of(large).saturated(0, 0)},
                  {"vanishes-saturated", of(large).gradient_early()},
                  {"gradient-arrives", of(deep_bn).gradient_early() - of(deep).gradient_early()},
                  {"gradient-arrives-late", of(deep_bn).gradient_late() - of(deep).gradient_late()}};
    return it;
  };
  return {
      "sigmoid-saturation",
      {truth({{plain, {0.3, 0.01, 0.5, 0.1, 5, 0, 0.7, 0}},
              {bn, {0.7, 0.02, 0.1, 0, -6, 0, 0.9, 0}},
              {deep, {0.2, 0.03, 3, 0, -2, 0.4, 1e-5, 1}},
              {deep_bn, {0.5, 0, 0.02, 0, 7, 0, 0.25, 0.5}},
              {large, {0.4, 0.05, 0.3, 0, 2, 0.5, 1e-4, 0}},
              {large_bn, {0.6, 0.01, 2, 0, -2, 0.5, 3, 0}}}),
       truth({{plain, {0.8, 0.01, 0.2, 0, 6, 0, 0.6, 0}},
              {bn, {0.6, 0.005, 0.8, 0.2, -7, 0, 0.8, 0}},
              {deep, {0.7, 0.02, 0.1, 0, 0, -0.2, 0.1, 2}},
              {deep_bn, {0.3, 0.01, 5, 0, 8, 0, 1e-3, 1}},
              {large, {0.9, 0.01, 0.2, 0, 0, -0.3, 2, 0}},
              {large_bn, {0.5, 0, 0.1, 0, 0, 0.4, 0.5, 0}}})},
      stuck({plain, bn, deep, deep_bn, large, large_bn}),
      {"hardly-saturated", "vanishes-unsaturated", "large-weights-saturate", "vanishes-saturated", "gradient-arrives"}};
}

}  // namespace bnlab::testing
