// The worlds of experiments/bjorck/curvature_modes.cpp.
#pragma once

#include "tests/experiments/directions.h"

namespace bnlab::testing {

/// What the probe says of one mode: λ₁ before training and the factor by which it has grown at steps 4 and 8, the
/// largest over the fourth, the trace, the gradient's share; and λ₁ and trace of the scaled Hessian.
struct ModeNumbers {
  double sharpness, grows, outliers, trace, share, scaled, scaled_trace;

  /// Mean of ln λ₁ at steps 4 and 8.
  double later() const { return ln(sharpness) + (ln(1 + 4 * grows) + ln(1 + 8 * grows)) / 2; }
};

inline void add_mode(MadeUp& it, const std::string& mode, const ModeNumbers& numbers) {
  const std::string start = "curvature/" + mode + "_";
  it.values[start + "top_1"] = numbers.sharpness;
  it.values[start + "top_4"] = numbers.sharpness / numbers.outliers;
  for (const char* top : {"top_1", "top_4"}) it.growth[start + top] = numbers.grows;
  it.values[start + "trace"] = numbers.trace;
  it.values[start + "gradient_share"] = numbers.share;
  it.values[start + "scaled_top_1"] = numbers.scaled;
  it.values[start + "scaled_trace"] = numbers.scaled_trace;
  for (const char* kind : {"", "scaled_"}) {
    it.values[start + kind + "converged"] = 1;
    it.values[start + kind + "residual"] = 1e-4;
  }
}

inline double relative(double e, double t) {
  return 2 * (e - t) / (std::abs(e) + std::abs(t));
}

inline Truth modes_truth(const ModeNumbers& training, const ModeNumbers& evaluation, const ModeNumbers& plain) {
  MadeUp bn, none;
  add_mode(bn, "batch", training);
  add_mode(bn, "population", evaluation);
  add_mode(none, "batch", plain);
  return {{{"BN", bn}, {"no BN", none}},
          {{"same-sharpness", evaluation.later() - training.later()},
           {"same-trace", relative(evaluation.trace, training.trace)},
           {"same-sharpness-at-start", ln(evaluation.sharpness / training.sharpness)},
           {"bn-suppresses-outliers", ln(training.outliers / plain.outliers)},
           {"bn-suppresses-outliers-evaluation", ln(evaluation.outliers / plain.outliers)},
           {"bn-spreads-the-gradient", 100 * (training.share - plain.share)},
           {"bn-spreads-the-gradient-evaluation", 100 * (evaluation.share - plain.share)},
           {"same-scaled-sharpness", ln(evaluation.scaled / training.scaled)},
           {"same-scaled-trace", relative(evaluation.scaled_trace, training.scaled_trace)},
           {"bn-flatter", training.later() - plain.later()},
           {"bn-flatter-evaluation", evaluation.later() - plain.later()},
           {"bn-flatter-scaled", ln(training.scaled / plain.scaled)}}};
}

inline Case curvature_modes_case() {
  return {
      "curvature-modes",
      {modes_truth({10, 0.1, 2, 50, 0.3, 4, 20}, {10.5, 0.101, 3, 51, 0.8, 4.1, 20.5}, {20, 0.2, 5, 90, 0.6, 8, 70}),
       modes_truth({10, 0.2, 6, -5, 0.7, 9, -20}, {40, 0.5, 7, 60, 0.5, 4, 20}, {5, 0.1, 5, 90, 0.6, 8, 70})},
      stuck({"BN", "no BN"})};
}

}  // namespace bnlab::testing
