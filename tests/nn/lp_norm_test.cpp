// Lp normalization against sums by hand in double, finite differences and its own running averages.
#include "bnlab/nn/lp_norm.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

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

/// The formula of lp_norm.h in tensor operations, to be differentiated by libtorch.
at::Tensor in_tensors(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta, double p) {
  std::vector<int64_t> dims = {0}, shape(static_cast<size_t>(x.dim()), 1);
  for (int64_t d = 2; d < x.dim(); ++d) dims.push_back(d);
  shape[1] = -1;
  const at::Tensor norm =
      std::isinf(p) ? x.abs().amax(dims, true) : at::norm(x, p, dims, true) / std::pow(x.numel() / x.size(1), 1 / p);
  return (x - x.mean(dims, true)) / (norm + 1e-5) * gamma.view(shape) + beta.view(shape);
}

struct Gradients {
  torch::autograd::variable_list first, second;
};

/// Of (weights * y³).sum() and of its gradients' (own weights) sum.
Gradients gradients_of(const at::Tensor& y, const torch::autograd::variable_list& inputs) {
  at::manual_seed(5);
  const at::Tensor loss = (at::randn(y.sizes(), y.options()) * y * y * y).sum();
  Gradients result;
  result.first = torch::autograd::grad({loss}, inputs, {}, /*retain_graph=*/true);
  at::Tensor sum = at::zeros({}, y.options());
  for (const at::Tensor& gradient : torch::autograd::grad({loss}, inputs, {}, true, /*create_graph=*/true)) {
    sum = sum + (gradient * at::randn(gradient.sizes(), gradient.options())).sum();
  }
  result.second = torch::autograd::grad({sum}, inputs, {}, false, false, /*allow_unused=*/true);
  return result;
}

TEST(LpNorm, FirstAndSecondDerivativesAreThoseOfTheFormulaInEveryLayout) {
  for (const double p : kPowers) {
    for (const at::MemoryFormat format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      for (const std::vector<int64_t>& sizes : {std::vector<int64_t>{4, 3, 3, 5}, {2, 3, 1, 1}, {1, 3, 7, 3}}) {
        LpNorm norm({.channels = 3, .p = p});
        norm.to(at::kDouble);
        at::manual_seed(11);
        const at::Tensor x = (at::randn(sizes, at::kDouble) + 1).contiguous(format).set_requires_grad(true);
        at::Tensor gamma = norm.named_parameters()["weight"], beta = norm.named_parameters()["bias"];
        {
          at::NoGradGuard no_grad;
          gamma.copy_(at::tensor({1.5, -2.0, 0.5}));
          x[0][1][0][0] = -x.select(1, 1).abs().max() - 1;  // the largest is below 0
          x[0][2] = x[0][2].flip(0);
        }
        const Gradients got = gradients_of(norm.forward(x), {x, gamma, beta});
        const Gradients expected = gradients_of(in_tensors(x, gamma, beta, p), {x, gamma, beta});
        for (size_t i = 0; i < 3; ++i) {
          EXPECT_TRUE(at::allclose(got.first[i], expected.first[i], 1e-10, 1e-10)) << p << sizes << i;
          ASSERT_EQ(got.second[i].defined(), expected.second[i].defined());
          if (!got.second[i].defined()) continue;
          EXPECT_TRUE(at::allclose(got.second[i], expected.second[i], 1e-9, 1e-9)) << p << sizes << i;
        }
      }
    }
  }
}

TEST(LpNorm, TheLargestValuesShareTheGradientAndAChannelOfZerosHasNone) {
  LpNorm norm({.channels = 2, .p = kInfinity});
  const at::Tensor x = at::tensor({3.0F, 0.0F, -3.0F, 0.0F, 1.0F, 0.0F}).view({3, 2}).set_requires_grad(true);
  at::Tensor y = norm.forward(x);
  y.select(1, 0)[2].backward();  // (1 - 1/3)/(3 + eps)
  EXPECT_NEAR(x.grad()[0][0].item<double>(), -(2.0 / 3) / 9 / 2 - 1.0 / 9, 1e-5);
  EXPECT_NEAR(x.grad()[1][0].item<double>(), (2.0 / 3) / 9 / 2 - 1.0 / 9, 1e-5);
  LpNorm two({.channels = 2, .p = 2});
  const at::Tensor zero = at::zeros({4, 2}).set_requires_grad(true);
  two.forward(zero).sum().backward();
  EXPECT_TRUE(at::equal(zero.grad(), at::zeros({4, 2})));
}

TEST(LpNorm, NaNGoesOnAndStaysInItsChannel) {
  for (const double p : kPowers) {
    LpNorm norm({.channels = 2, .p = p});
    const at::Tensor x = at::tensor({1.0F, 2.0F, static_cast<float>(NAN), 3.0F, 2.0F, 5.0F}).view({3, 2});
    const at::Tensor y = norm.forward(x).isnan();
    EXPECT_TRUE(y.select(1, 0).all().item<bool>()) << p;
    EXPECT_FALSE(y.select(1, 1).any().item<bool>()) << p;
    EXPECT_TRUE(norm.named_buffers()["running_norm"].isnan()[0].item<bool>()) << p;
  }
}

TEST(LpNorm, RefusesOtherTypesInBothModesWithItsOwnSentence) {
  for (const at::ScalarType type : {at::kBFloat16, at::kHalf, at::kLong}) {
    for (const bool training : {true, false}) {
      LpNorm norm({.channels = 2, .p = 1});
      norm.train(training);
      try {
        norm.forward(at::ones({4, 2}, type));
        ADD_FAILURE() << type;
      } catch (const c10::Error& error) {
        EXPECT_NE(std::string(error.what()).find("LpNorm: expected x of float32 or float64, got"), std::string::npos);
      }
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
