#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::MomentTest;
using testing::small_spec;

/// The loss of `at`'s batch with the weights moved by -alpha*g, by a network that is really moved.
double loss_moved(const testing::Moment& at, const std::vector<at::Tensor>& gradients, double alpha) {
  at::NoGradGuard no_grad;
  const auto parameters = at.network->parameters();
  for (size_t i = 0; i < parameters.size(); ++i) parameters[i].sub_(gradients[i], alpha);
  const double loss = at::cross_entropy_loss(at.network->forward(at.batch.x), at.batch.y).item<double>();
  for (size_t i = 0; i < parameters.size(); ++i) parameters[i].add_(gradients[i], alpha);
  return loss;
}

TEST_F(MomentTest, RelativeLossIsThatOfTheMovedNetwork) {
  for (const char* norm : {"none", "batch"}) {
    const TrainSpec spec = small_spec(norm);
    RunReader reader = probed(spec, 2, "relative-loss", {{"near", 0.01}, {"far", 1e4}, {"points", 7}});
    const testing::Moment at = moment(spec, 2);
    double loss = 0;
    const auto gradients = at.gradients(loss);
    const auto alphas = reader.arrays({"relative-loss", 0, "alpha"}).front().as_doubles();
    const auto ratios = reader.arrays({"relative-loss", 0, "ratio"}).front().as_doubles();
    ASSERT_EQ(alphas.size(), 7u);
    double crossing = 0, lowest = 1e9;
    for (size_t k = 0; k < alphas.size(); ++k) {
      EXPECT_NEAR(alphas[k] / std::pow(10, static_cast<double>(k) - 2), 1, 1e-12);
      const double ratio = loss_moved(at, gradients, alphas[k]) / loss;
      EXPECT_NEAR(ratios[k] / ratio, 1, 1e-3) << norm << alphas[k];  // weights that go and return are rounded twice
      if (crossing == 0 && ratio > 1) crossing = std::pow(10, static_cast<double>(k) - 2.5);
      if (ratio < lowest) lowest = ratio;
    }
    ASSERT_TRUE(ratios[0] < 1 && ratios[6] > 1) << "nothing to cross";
    EXPECT_NEAR(*reader.scalar_at({"relative-loss", 0, "crossing"}, 2) / crossing, 1, 1e-9) << norm;
    EXPECT_NEAR(*reader.scalar_at({"relative-loss", 0, "lowest"}, 2), lowest, 1e-4) << norm;
    EXPECT_NEAR(*reader.scalar_at({"relative-loss", 0, "gradient_norm"}, 2) / testing::norm_of(gradients), 1, 1e-5);
  }
}

TEST_F(MomentTest, RelativeLossSaysWhereItCrossesBeyondItsEnds) {
  const TrainSpec spec = small_spec("none");
  RunReader beyond = probed(spec, 1, "relative-loss", {{"near", 1e-4}, {"far", 1e-3}, {"points", 2}});
  EXPECT_EQ(*beyond.scalar_at({"relative-loss", 0, "crossing"}, 1), 1e-3);
  RunReader before = probed(spec, 1, "relative-loss", {{"near", 1e6}, {"far", 1e7}, {"points", 2}});
  EXPECT_EQ(*before.scalar_at({"relative-loss", 0, "crossing"}, 1), 1e6);
  // So far that nothing is a number any more.
  RunReader broken = probed(spec, 1, "relative-loss", {{"near", 1e36}, {"far", 1e37}, {"points", 2}});
  EXPECT_EQ(*broken.scalar_at({"relative-loss", 0, "crossing"}, 1), 1e36);
}

}  // namespace
}  // namespace bnlab
