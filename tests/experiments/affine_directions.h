// The worlds of experiments/basics/affine.cpp.
#pragma once

#include "tests/experiments/directions.h"

namespace bnlab::testing {

inline const std::vector<std::pair<std::string, std::string>> kAffineKinds = {{"sigmoid", "sigmoid"}, {"relu", "ReLU"}};

/// 1 - r² between x and sigmoid(x), of the sixteen values that made-up runs have at step 8, two drifts from their
/// start.
inline double bend_of(double drift) {
  double x = 0, y = 0, xx = 0, xy = 0, yy = 0;
  for (int i = 0; i < 16; ++i) {
    const double in = 0.25 * i + 2 * drift, out = 1 / (1 + std::exp(-in));
    x += in / 16;
    y += out / 16;
    xx += in * in / 16;
    xy += in * out / 16;
    yy += out * out / 16;
  }
  return 1 - std::pow(xy - x * y, 2) / ((xx - x * x) * (yy - y * y));
}

/// Drifts: of the sigmoids' inputs with BN fixed, and with it learned. Accuracies: of no BN, both learned, neither,
/// gamma alone, beta alone.
inline Case affine_case() {
  const auto truth = [](const std::vector<double>& accuracies, double recovered, double standardized,
                        double fixed_drift, double learned_drift) -> Truth {
    const char* const arms[] = {"no BN", "BN, γ and β learned", "BN, γ = 1, β = 0", "BN, β = 0", "BN, γ = 1"};
    Truth it;
    double scale = 1;  // another of each kind, so that they cannot change places
    for (const auto& [id, name] : kAffineKinds) {
      std::vector<double> a;
      for (const double accuracy : accuracies) a.push_back(kChance + (accuracy - kChance) / scale);
      for (size_t i = 0; i < a.size(); ++i) it.world[name + ", " + arms[i]] = {.accuracy = a[i]};
      it.world[name + ", BN inserted"].values = {{"identity-recovery/recovered", recovered * scale},
                                                 {"identity-recovery/standardized", standardized * scale}};
      const std::map<std::string, double> effects = {
          {"identity-recovered", recovered * scale}, {"standardizing-changes", standardized * scale},
          {"gains-without", 100 * (a[2] - a[0])},    {"freezing-costs-little", 100 * (a[2] - a[1])},
          {"gamma-alone", 100 * (a[3] - a[1])},      {"beta-alone", 100 * (a[4] - a[1])}};
      for (const auto& [claim, effect] : effects) it.effects[claim + "-" + id] = effect;
      scale *= 1.5;
    }
    for (const char* layer : {"1", "2", "3"}) {
      const std::string key = std::string("activations/") + layer + "/drift";
      it.world["sigmoid, BN, γ = 1, β = 0"].values[key] = fixed_drift;
      it.world["sigmoid, BN, γ and β learned"].values[key] = learned_drift;
    }
    it.effects["straighter-when-frozen-sigmoid"] = ln(bend_of(fixed_drift) / bend_of(learned_drift));
    return it;
  };
  std::vector<std::string> learners;
  for (const auto& [id, name] : kAffineKinds) {
    learners.push_back(name + ", BN, γ and β learned");
    learners.push_back(name + ", BN, γ = 1, β = 0");
  }
  return {"affine",
          {truth({0.6, 0.8, 0.79, 0.81, 0.785}, 1e-5, 0.7, -0.9, 0.1),
           truth({0.6, 0.8, 0.5, 0.7, 0.9}, 0.01, 0.02, 0.2, -0.8)},
          stuck(learners),
          {"identity-recovered-sigmoid", "identity-recovered-relu", "standardizing-changes-sigmoid",
           "standardizing-changes-relu"}};
}

}  // namespace bnlab::testing
