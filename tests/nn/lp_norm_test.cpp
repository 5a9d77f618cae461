// Lp normalization against sums by hand in double, finite differences and its own running averages.
#include "bnlab/nn/lp_norm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace bnlab {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kPowers[] = {1, 2, kInfinity};

struct ByHand {
  double mean = 0, norm = 0;
};

ByHand channel_by_hand(const at::Tensor& x, int64_t c, double p) {
  const at::Tensor values = x.select(1, c).contiguous().flatten().to(at::kDouble);
  const double* v = values.data_ptr<double>();
  const auto n = static_cast<double>(values.numel());
  ByHand result;
  double powers = 0, most = 0;
  for (int64_t i = 0; i < values.numel(); ++i) {
    result.mean += v[i] / n;
    powers += std::isinf(p) ? 0 : std::pow(std::abs(v[i]), p) / n;
    most = std::max(most, std::abs(v[i]));
  }
  result.norm = std::isinf(p) ? most : std::pow(powers, 1 / p);
  return result;
}

TEST(LpNorm, IsTheFormulaInTrainingAndByRunningAveragesInEvaluation) {
  for (const double p : kPowers) {
    for (const bool matrix : {false, true}) {
      LpNorm norm({.channels = 3, .p = p});
      at::NoGradGuard no_grad;
      norm.named_parameters()["weight"].copy_(at::tensor({1.5, -2.0, 0.5}));
      norm.named_parameters()["bias"].copy_(at::tensor({0.1, 0.2, 0.3}));
      at::manual_seed(7);
      const at::Tensor x = matrix ? at::randn({40, 3}) + 2 : at::randn({5, 3, 4, 6}) + 2;
      const at::Tensor y = norm.forward(x);
      norm.eval();
      const at::Tensor z = norm.forward(x);
      const double gamma[] = {1.5, -2.0, 0.5}, beta[] = {0.1, 0.2, 0.3};
      for (int64_t c = 0; c < 3; ++c) {
        const ByHand by = channel_by_hand(x, c, p);
        const double scale = gamma[c] / (by.norm + 1e-5);
        EXPECT_TRUE(at::allclose(y.select(1, c), (x.select(1, c) - by.mean) * scale + beta[c], 1e-5, 1e-5)) << p;
        // After one batch: 0.9 of the start (mean 0, norm 1) and 0.1 of the batch.
        const double mean = 0.1 * by.mean, running = 0.9 + 0.1 * by.norm;
        EXPECT_TRUE(
            at::allclose(z.select(1, c), (x.select(1, c) - mean) * (gamma[c] / (running + 1e-5)) + beta[c], 1e-5, 1e-5))
            << p;
      }
    }
  }
}

TEST(LpNorm, GradientAgreesWithFiniteDifferences) {
  for (const double p : kPowers) {
    LpNorm norm({.channels = 2, .p = p});
    norm.to(at::kDouble);
    at::manual_seed(8);
    const at::Tensor x = at::randn({6, 2, 3}, at::kDouble).set_requires_grad(true);
    const at::Tensor weights = at::randn({6, 2, 3}, at::kDouble);
    (norm.forward(x) * weights).sum().backward();
    constexpr double kStep = 1e-6;
    at::NoGradGuard no_grad;
    for (int64_t i = 0; i < x.numel(); ++i) {
      const auto loss_at = [&](double shift) {
        at::Tensor moved = x.detach().clone();
        moved.view({-1})[i] += shift;
        return (norm.forward(moved) * weights).sum().item<double>();
      };
      const double difference = (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep);
      EXPECT_NEAR(x.grad().view({-1})[i].item<double>(), difference, 1e-6) << p << " at " << i;
    }
  }
}

TEST(LpNorm, RefusesWhatIsNoNorm) {
  EXPECT_THROW(LpNorm({.channels = 3, .p = 3}), c10::Error);
  EXPECT_THROW(LpNorm({.channels = 0, .p = 2}), c10::Error);
  EXPECT_THROW(LpNorm({.channels = 3, .p = 2, .eps = -1}), c10::Error);
  EXPECT_THROW(LpNorm({.channels = 3}).forward(at::zeros({4, 2})), c10::Error);
}

}  // namespace
}  // namespace bnlab
