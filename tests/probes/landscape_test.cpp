#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::MomentTest;
using testing::small_spec;

TEST_F(MomentTest, LandscapeIsThatOfTheMovedNetwork) {
  for (const char* norm : {"none", "batch"}) {
    const TrainSpec spec = small_spec(norm);
    RunReader reader = probed(spec, 2, "landscape", {{"near", 0.5}, {"far", 8}, {"points", 3}, {"random", true}});
    const testing::Moment at = moment(spec, 2);
    const auto before = at.gradients();
    const auto values = [&](const char* name) { return reader.arrays({"landscape", 0, name}).front().as_doubles(); };
    const double length = testing::norm_of(before);
    double beta = 0;
    for (const auto& [k, distance] : {std::pair{0, 0.05}, {1, 0.2}, {2, 0.8}}) {
      testing::Moment moved = moment(spec, 2);
      for (size_t i = 0; i < before.size(); ++i) {
        at::NoGradGuard no_grad;
        moved.network->parameters()[i].sub_(before[i], distance);
      }
      double loss = 0;
      auto difference = moved.gradients(loss);
      for (size_t i = 0; i < before.size(); ++i) difference[i] -= before[i];
      EXPECT_NEAR(values("distance")[static_cast<size_t>(k)] / distance, 1, 1e-12);
      EXPECT_NEAR(values("loss")[static_cast<size_t>(k)] / loss, 1, 1e-5) << norm;
      EXPECT_NEAR(values("gradient_difference")[static_cast<size_t>(k)] / testing::norm_of(difference), 1, 1e-4)
          << norm;
      beta = std::max(beta, testing::norm_of(difference) / (distance * length));
    }
    EXPECT_NEAR(*reader.scalar_at({"landscape", 0, "beta"}, 2) / beta, 1, 1e-4);
    EXPECT_NEAR(*reader.scalar_at({"landscape", 0, "gradient_norm"}, 2) / length, 1, 1e-5);
    for (const std::string prefix : {"", "random_"}) {
      for (const std::string what : {"loss", "gradient_difference"}) {
        const auto all = values((prefix + what).c_str());
        const std::string name = prefix + (what == "loss" ? "loss" : "difference");
        EXPECT_EQ(*reader.scalar_at({"landscape", 0, name + "_low"}, 2), *std::min_element(all.begin(), all.end()));
        EXPECT_EQ(*reader.scalar_at({"landscape", 0, name + "_high"}, 2), *std::max_element(all.begin(), all.end()));
      }
    }
    // Orthogonal to the gradient but for 1 in sqrt(parameters): there the loss changes far less.
    double base = 0;
    (void)at.gradients(base);
    EXPECT_LT(std::abs(values("random_loss")[0] - base), 0.5 * std::abs(values("loss")[0] - base)) << norm;
    EXPECT_NE(values("random_loss")[0], values("loss")[0]);
  }
}

}  // namespace
}  // namespace bnlab
