// Group and layer normalization against sums by hand in double, and the layer that only scales.
#include "bnlab/nn/group_norm.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

namespace bnlab {
namespace {

std::shared_ptr<Norm> make(const NormKind& kind, int64_t channels, const Options& options = {}) {
  return kind.make(channels, complete_options(kind.options, options, kind.kind));
}

/// gamma[c]*(x - mean)/sqrt(var + eps) + beta[c], mean and biased variance over a sample's group of channels.
at::Tensor by_hand(const at::Tensor& x, int64_t groups, const at::Tensor& gamma, const at::Tensor& beta, double eps) {
  const int64_t n = x.size(0), c = x.size(1), s = x.numel() / (n * c), each = c / groups;
  const at::Tensor in = x.contiguous().view({n, c, s}), out = at::empty_like(in);
  const auto v = in.accessor<double, 3>();
  auto y = out.accessor<double, 3>();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t g = 0; g < groups; ++g) {
      double sum = 0, squares = 0;
      const auto count = static_cast<double>(each * s);
      for (int64_t k = g * each; k < (g + 1) * each; ++k) {
        for (int64_t p = 0; p < s; ++p) sum += v[i][k][p];
      }
      for (int64_t k = g * each; k < (g + 1) * each; ++k) {
        for (int64_t p = 0; p < s; ++p) squares += std::pow(v[i][k][p] - sum / count, 2);
      }
      for (int64_t k = g * each; k < (g + 1) * each; ++k) {
        for (int64_t p = 0; p < s; ++p) {
          y[i][k][p] = gamma[k].item<double>() * (v[i][k][p] - sum / count) / std::sqrt(squares / count + eps) +
                       beta[k].item<double>();
        }
      }
    }
  }
  return out.view(x.sizes());
}

TEST(GroupNorm, IsTheFormulaInTrainingAndInEvaluation) {
  at::manual_seed(3);
  const at::Tensor image = at::randn({3, 6, 4, 5}, at::kDouble) + 2, matrix = at::randn({5, 6}, at::kDouble) - 1;
  for (const at::Tensor& x : {image, matrix, image.contiguous(at::MemoryFormat::ChannelsLast)}) {
    for (const int64_t groups : {1, 2, 3}) {
      const auto norm =
          groups == 1 ? make(layer_norm_kind(), 6) : make(group_norm_kind(), 6, {{"groups", groups}, {"eps", 0.1}});
      norm->to(at::kDouble);
      const at::NoGradGuard no_grad;
      const at::Tensor gamma = norm->named_parameters()["weight"].copy_(at::randn({6}, at::kDouble)),
                       beta = norm->named_parameters()["bias"].copy_(at::randn({6}, at::kDouble));
      const at::Tensor expected = by_hand(x, groups, gamma, beta, groups == 1 ? 1e-5 : 0.1);
      EXPECT_TRUE(at::allclose(norm->forward(x), expected, 1e-10, 1e-12)) << groups << x.sizes();
      norm->eval();
      EXPECT_TRUE(at::allclose(norm->forward(x), expected, 1e-10, 1e-12)) << groups << x.sizes();
    }
  }
}

TEST(GroupNorm, HasASecondDerivative) {
  const auto norm = make(layer_norm_kind(), 4);
  norm->to(at::kDouble);
  at::manual_seed(4);
  const at::Tensor x = at::randn({2, 4, 3, 3}, at::kDouble).set_requires_grad(true), w = at::randn_like(x);
  const auto gradient_at = [&](const at::Tensor& at_x, bool graph) {
    const at::Tensor loss = (norm->forward(at_x).pow(3) * w).sum();
    return torch::autograd::grad({loss}, {at_x}, {}, true, graph).front();
  };
  const at::Tensor direction = at::randn_like(x);
  const at::Tensor product = torch::autograd::grad({(gradient_at(x, true) * direction).sum()}, {x}).front();
  const auto moved = [&](double t) { return (x.detach() + t * direction).set_requires_grad(true); };
  const at::Tensor difference = (gradient_at(moved(1e-5), false) - gradient_at(moved(-1e-5), false)) / 2e-5;
  EXPECT_TRUE(at::allclose(product, difference, 1e-5, 1e-5));
}

TEST(GroupNorm, RefusesGroupsThatDoNotDivideTheChannels) {
  try {
    make(group_norm_kind(), 10);
    FAIL();
  } catch (const OptionError& error) {
    EXPECT_EQ(error.key(), "norm.options.groups");
    EXPECT_STREQ(error.what(),
                 "the normalization group needs groups that divide the channels, not 8 groups of 10 channels");
  }
}

TEST(Scale, OnlyScalesAndShiftsEachChannel) {
  const auto scale = make(scale_kind(), 2);
  const at::Tensor x = at::randn({3, 2, 2, 2});
  EXPECT_TRUE(at::equal(scale->forward(x), x)) << "at first it is nothing";
  const at::NoGradGuard no_grad;
  scale->named_parameters()["weight"].copy_(at::tensor({2.0, -3.0}));
  scale->named_parameters()["bias"].copy_(at::tensor({0.5, 1.0}));
  const at::Tensor y = scale->forward(x);
  EXPECT_TRUE(at::allclose(y.select(1, 0), 2 * x.select(1, 0) + 0.5));
  EXPECT_TRUE(at::allclose(y.select(1, 1), -3 * x.select(1, 1) + 1));
}

}  // namespace
}  // namespace bnlab
