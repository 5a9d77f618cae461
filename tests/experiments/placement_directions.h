// The worlds of experiments/basics/placement.cpp.
#pragma once

#include "tests/experiments/directions.h"

namespace bnlab::testing {

inline Case placement_case() {
  const std::string before = "before", after = "after", affine = " + scale&bias";
  /// Of before, before + scale&bias, after, after + scale&bias: accuracies and losses on the test split; of the first
  /// and third: |skewness| and |excess kurtosis| in front of the ReLU, where those behind it are 2 and 3, and the
  /// movement in front of it.
  const auto truth = [=](const std::vector<double>& a, const std::vector<double>& l,
                         const std::vector<double>& skewness, const std::vector<double>& kurtosis,
                         const std::vector<double>& moved) -> Truth {
    const auto values = [&](size_t i) {
      return std::map<std::string, double>{{"shape/linear_skewness", skewness[i]},
                                           {"shape/output_skewness", 2},
                                           {"shape/linear_kurtosis", kurtosis[i]},
                                           {"shape/output_kurtosis", 3},
                                           {"moment-changes/linear_mean", moved[i]}};
    };
    return {{{before, {.tested = a[0], .tested_loss = l[0], .values = values(0)}},
             {before + affine, {.tested = a[1], .tested_loss = l[1]}},
             {after, {.tested = a[2], .tested_loss = l[2], .values = values(1)}},
             {after + affine, {.tested = a[3], .tested_loss = l[3]}}},
            {{"after-more-accurate", 100 * (a[2] - a[0])},
             {"after-lower-loss", l[2] - l[0]},
             {"after-more-accurate-affine", 100 * (a[3] - a[1])},
             {"after-lower-loss-affine", l[3] - l[1]},
             {"affine-helps-before", 100 * (a[1] - a[0])},
             {"affine-harms-after", 100 * (a[3] - a[2])},
             {"skewness-smaller-in-front-before", ln(skewness[0] / 2)},
             {"kurtosis-smaller-in-front-before", ln(kurtosis[0] / 3)},
             {"skewness-smaller-in-front-after", ln(skewness[1] / 2)},
             {"kurtosis-smaller-in-front-after", ln(kurtosis[1] / 3)},
             {"steadier-before", ln(moved[0] / moved[1])}}};
  };
  return {"placement",
          {truth({0.5, 0.52, 0.6, 0.57}, {1.4, 1.3, 1.0, 1.1}, {0.5, 0.7}, {1, 0.6}, {0.01, 0.03}),
           truth({0.6, 0.57, 0.5, 0.52}, {1.0, 1.1, 1.4, 1.3}, {4, 5}, {7, 8}, {0.05, 0.02})},
          stuck({before, before + affine, after, after + affine})};
}

}  // namespace bnlab::testing
