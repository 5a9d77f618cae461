// The worlds of experiments/basics/convolution.cpp and backward.cpp: both look at a finished network.
#pragma once

#include "tests/experiments/directions.h"

namespace bnlab::testing {

/// Every claim is a number that the analysis `analysis` recorded under a name of its own.
inline Case looked_at_case(const std::string& experiment, const std::string& arm, const std::string& analysis,
                           const std::map<std::string, std::string>& names, const std::vector<double>& holds,
                           const std::vector<double>& fails) {
  Case it{experiment, {}, {}, {}};
  for (const auto& numbers : {holds, fails}) {
    Truth truth;
    size_t i = 0;
    for (const auto& [claim, name] : names) {
      truth.world[arm].values[analysis + "/" + name] = numbers.at(i);
      truth.effects[claim] = numbers.at(i++);
      it.unconditional.insert(claim);
    }
    it.truths.push_back(truth);
  }
  return it;
}

inline Case backward_case() {
  return looked_at_case("backward", "gradients of the finished network", "bn-backward",
                        {{"closed-form", "difference"},
                         {"mean-taken-out", "leaving_mean"},
                         {"more-than-chance", "removed"},
                         {"scale-taken-out", "leaving_xhat"}},
                        {1e-5, 2e-5, 3, 4e-5}, {0.1, 0.2, -1, 0.4});
}

inline Case convolution_case() {
  return looked_at_case("convolution", "channels of the finished network", "channel-statistics",
                        {{"one-mean-a-channel", "mean_off"},
                         {"pattern-kept", "channel_bent"},
                         {"position-bends", "position_bent"},
                         {"steadier", "steadier"},
                         {"worth-less-than-counted", "worth"}},
                        {1e-5, 2e-5, 0.3, -2, -1}, {0.1, 0.2, 1e-3, 1, 0.5});
}

}  // namespace bnlab::testing
