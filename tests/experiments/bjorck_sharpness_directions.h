// The worlds of experiments/bjorck/sharpness.cpp: rates 0.025, 0.1, 0.4 times batches of 4, 8, 16.
#pragma once

#include "bnlab/study/measures.h"
#include "tests/experiments/directions.h"

namespace bnlab::testing {

/// Whether each number rises with α/|B|, and the test error at the end.
struct GridRises {
  bool sharp, scaled, evaluated, evaluated_scaled, trace, scaled_trace, error;
};

/// Looks are at 0, 1/3 and 2/3 of the steps. The loss is 10 (1 − fall · share of the steps), so that a network with
/// fall 0.6 is the slowest; falls go by |B| alone. At the loss where the slowest ends, the error is as at the end but
/// for the network of most noise, whose is of the middle.
inline Truth grid_truth(const GridRises& rises) {
  World world;
  std::vector<double> noise, scaled, loss, at_end, at_equal;
  for (const auto& [rate, rate_name] : {std::pair(0.025, "0.025"), std::pair(0.1, "0.1"), std::pair(0.4, "0.4")}) {
    for (const int batch : {4, 8, 16}) {
      noise.push_back(rate / batch);
      MadeUp one;
      const auto number = [&](const std::string& name, bool rising) {
        one.values["curvature/" + name] = 3 * std::pow(noise.back(), rising ? 1 : -1);
      };
      number("batch_top_1", rises.sharp);
      number("batch_scaled_top_1", rises.scaled);
      number("population_top_1", rises.evaluated);
      number("population_scaled_top_1", rises.evaluated_scaled);
      number("batch_trace", rises.trace);
      number("batch_scaled_trace", rises.scaled_trace);
      for (const char* kind : {"batch_", "batch_scaled_", "population_", "population_scaled_"}) {
        one.values["curvature/" + std::string(kind) + "converged"] = 1;
      }
      scaled.push_back(one.values.at("curvature/batch_scaled_top_1"));

      const double steps = 192.0 / batch, fall = batch == 16 ? 0.6 : batch == 8 ? 0.9 : 0.75;
      one.values["accuracy/train_loss"] = 10;
      one.growth["accuracy/train_loss"] = -fall / steps;
      loss.push_back(10 * (1 - fall * 2 / 3));
      const double place = ln(noise.back() / (0.025 / 16)) / ln(64);  // 0 to 1
      at_end.push_back(rises.error ? 40 + 20 * place : 60 - 20 * place);
      at_equal.push_back(place > 0.99 ? 50.5 : at_end.back());
      const double equal = 0.4 / fall;  // the share of the steps at which the loss is 6, the slowest's end
      const double slope = equal > 0.66 ? 0 : (at_equal.back() - at_end.back()) / (2.0 / 3 - equal) / 100;
      const double start = 1 - at_equal.back() / 100 - slope * equal;
      one.values["accuracy/test_accuracy"] = start;
      one.growth["accuracy/test_accuracy"] = slope / start / steps;
      world["α = " + std::string(rate_name) + ", |B| = " + std::to_string(batch)] = one;
    }
  }
  const auto side = [](bool rising) { return rising ? 1.0 : -1.0; };
  const double with_loss = spearman(noise, loss), scaled_with_loss = spearman(scaled, loss);
  const double given_loss = (side(rises.scaled) - with_loss * scaled_with_loss) /
                            std::sqrt((1 - with_loss * with_loss) * (1 - scaled_with_loss * scaled_with_loss));
  return {world,
          {{"flatter", side(rises.sharp)},
           {"flatter-scaled", side(rises.scaled)},
           {"generalizes", spearman(noise, at_end)},
           {"generalizes-at-equal-loss", spearman(noise, at_equal)},
           {"flatter-evaluation", side(rises.evaluated)},
           {"flatter-evaluation-scaled", side(rises.evaluated_scaled)},
           {"smaller-trace", side(rises.trace)},
           {"smaller-scaled-trace", side(rises.scaled_trace)},
           {"flatter-given-loss", given_loss},
           {"sharp-is-worse", spearman(scaled, at_end)},
           {"by-the-rate", side(rises.scaled)},
           {"by-the-batch", side(rises.scaled)}}};
}

inline Case bjorck_sharpness_case() {
  return {"bjorck-sharpness",
          {grid_truth({false, false, true, false, true, true, false}),
           grid_truth({false, true, false, true, false, true, true}),
           grid_truth({true, false, false, true, true, false, true})},
          stuck({"α = 0.025, |B| = 4", "α = 0.4, |B| = 16"})};
}

}  // namespace bnlab::testing
