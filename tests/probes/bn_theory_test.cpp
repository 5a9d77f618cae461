#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::MomentTest;
using testing::small_spec;

// Against ATen's own BN and a perturbation of it: the sum of squares that Theorem 4.1 bounds, by finite differences.
TEST_F(MomentTest, TheoryHasBothSidesOfTheTheorem) {
  const TrainSpec spec = small_spec("none");
  RunReader reader = probed(spec, 2, "bn-theory", {{"layers", {4}}});
  EXPECT_LT(*reader.scalar_at({"bn-theory", 4, "identity_error"}, 2), 1e-4);
  EXPECT_LT(*reader.scalar_at({"bn-theory", 4, "twin_error"}, 2), 1e-4);
  const testing::Moment at = moment(spec, 2);
  at::Tensor y, z;
  const at::Tensor logits = at.network->forward(at.batch.x, [&](int64_t layer, TapPoint point, at::Tensor& value) {
    if (layer != 4 || point != TapPoint::kLinear) return;
    y = value.detach().requires_grad_();
    z = value = at::batch_norm(y, {}, {}, {}, {}, true, 0.1, 0, false);
  });
  const auto gradients = torch::autograd::grad({at::cross_entropy_loss(logits, at.batch.y)}, {y, z});
  const auto left = reader.arrays({"bn-theory", 4, "gradient"}).front().as_doubles();
  const auto bound = reader.arrays({"bn-theory", 4, "bound"}).front().as_doubles();
  at::Tensor plain_y;
  const at::Tensor plain = at.network->forward(at.batch.x, [&](int64_t layer, TapPoint point, at::Tensor& value) {
    if (layer == 4 && point == TapPoint::kLinear) plain_y = value = value.detach().requires_grad_();
  });
  const at::Tensor g = torch::autograd::grad({at::cross_entropy_loss(plain, at.batch.y)}, {plain_y}).front();
  double holds = 0;
  for (int64_t c = 0; c < y.size(1); ++c) {
    const auto channel = [&](const at::Tensor& t) { return t.select(1, c).detach().to(at::kDouble).flatten(); };
    const double m = static_cast<double>(channel(y).numel());
    const double variance = channel(y).var(false).item<double>();
    const double expected =
        (channel(g).square().sum().item<double>() - std::pow(channel(g).sum().item<double>(), 2) / m -
         std::pow((channel(g) * channel(z)).sum().item<double>(), 2) / m) /
        variance;
    EXPECT_NEAR(left[static_cast<size_t>(c)], channel(gradients[0]).square().sum().item<double>(),
                1e-3 * left[static_cast<size_t>(c)]);
    EXPECT_NEAR(bound[static_cast<size_t>(c)], expected, 1e-3 * std::abs(expected));
    holds += left[static_cast<size_t>(c)] <= bound[static_cast<size_t>(c)] ? 1 : 0;
  }
  EXPECT_NEAR(*reader.scalar_at({"bn-theory", 4, "holds"}, 2), holds / static_cast<double>(y.size(1)), 1e-12);
}

// The matrix of a convolution's inputs, written out: a row a place, a column a weight of a filter.
TEST_F(MomentTest, TheoryKnowsTheNormOfALayersInputs) {
  const TrainSpec spec = small_spec("none");
  RunReader reader = probed(spec, 2, "bn-theory", {{"layers", {4}}});
  const testing::Moment at = moment(spec, 2);
  at::Tensor input;
  (void)at.network->forward(at.batch.x, [&](int64_t layer, TapPoint point, at::Tensor& value) {
    if (layer == 3 && point == TapPoint::kOutput) input = value.detach();
  });
  const at::Tensor patches = at::im2col(input.contiguous(), {3, 3}, {1, 1}, {1, 1}, {1, 1}).to(at::kDouble);
  const at::Tensor matrix = patches.transpose(1, 2).flatten(0, 1);
  const double norm = std::sqrt(at::linalg_eigvalsh(matrix.t().matmul(matrix)).max().item<double>());
  EXPECT_NEAR(*reader.scalar_at({"bn-theory", 4, "lambda"}, 2) / norm, 1, 1e-4);
  EXPECT_EQ(*reader.scalar_at({"bn-theory", 4, "lambda_converged"}, 2), 1);
  EXPECT_LE(*reader.scalar_at({"bn-theory", 4, "lambda_residual"}, 2), 1e-3);
  const double worst = *reader.scalar_at({"bn-theory", 4, "weight_worst"}, 2);
  EXPECT_GT(worst, 0);
  EXPECT_LT(worst, 1);
  const auto weights = reader.arrays({"bn-theory", 4, "weight_gradient"}).front().as_doubles();
  const auto bound = reader.arrays({"bn-theory", 4, "bound"}).front().as_doubles();
  double holds = 0;
  for (size_t c = 0; c < bound.size(); ++c) holds += weights[c] <= norm * norm * bound[c] ? 1 : 0;
  EXPECT_NEAR(*reader.scalar_at({"bn-theory", 4, "weight_holds"}, 2), holds / static_cast<double>(bound.size()), 1e-12);
}

}  // namespace
}  // namespace bnlab
