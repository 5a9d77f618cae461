// Noise against the distributions that Algorithm 1 of Santurkar et al. asks for.
#include "bnlab/nn/noise.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "bnlab/nn/batch_norm.h"

namespace bnlab {
namespace {

constexpr int64_t kChannels = 40;

std::shared_ptr<Norm> layer(const NormKind& kind) {
  return kind.make(kChannels, complete_options(kind.options, {}, "test"));
}

TEST(Noise, HasAMeanOfEachChannelAndAUniformSpread) {
  at::manual_seed(1);
  const at::Tensor m = layer(noise_kind())->forward(at::zeros({64, kChannels, 15, 15})).transpose(0, 1).flatten(1);
  const at::Tensor mean = m.mean(1), distance = m - mean.view({-1, 1});
  EXPECT_LT(mean.abs().max().item<double>(), 0.5 + 0.001);
  EXPECT_GT(mean.max().item<double>(), 0.3) << "40 draws from -0.5 to 0.5";
  EXPECT_LT(mean.min().item<double>(), -0.3);
  EXPECT_LT(distance.abs().max().item<double>(), 0.1 + 0.003);
  // U(-0.1, 0.1) has the variance 0.01/3.
  EXPECT_NEAR(distance.square().mean().item<double>() / (0.01 / 3), 1, 0.01);
}

TEST(Noise, HasAFactorOfEachChannelAndANormalSpread) {
  at::manual_seed(2);
  const at::Tensor x = at::full({64, kChannels, 15, 15}, 1e6);
  const at::Tensor s = layer(noise_kind())->forward(x).transpose(0, 1).flatten(1) / 1e6;
  const at::Tensor sigma = s.mean(1), distance = s - sigma.view({-1, 1});
  EXPECT_GT(sigma.min().item<double>(), 1 - 0.005);
  EXPECT_LT(sigma.max().item<double>(), 1.25 + 0.005);
  EXPECT_GT((sigma.max() - sigma.min()).item<double>(), 0.15) << "40 draws from 1 to 1.25";
  EXPECT_NEAR(distance.square().mean().item<double>() / 0.01, 1, 0.01);
  EXPECT_NEAR(distance.pow(4).mean().item<double>() / 0.0003, 1, 0.05) << "a normal has the kurtosis 3";
}

TEST(Noise, IsDrawnAnewInEveryCallAndFollowsTheSeed) {
  const auto noise = layer(noise_kind());
  const at::Tensor x = at::randn({8, kChannels});
  at::manual_seed(3);
  const at::Tensor first = noise->forward(x), second = noise->forward(x);
  at::manual_seed(3);
  EXPECT_TRUE(at::equal(noise->forward(x), first));
  EXPECT_GT((first - second).transpose(0, 1).mean(1).abs().max().item<double>(), 0.2) << "the channels' means move";
}

TEST(Noise, ComesAfterTheNormalizationAndNotInEvaluation) {
  const NormKind kind = noisy_batch_norm_kind();
  const auto noisy = layer(kind);
  const auto plain = layer(batch_norm_kind());
  const at::Tensor x = 3 * at::randn({32, kChannels, 4, 4}) + 5;
  at::manual_seed(4);
  const at::Tensor normalized = plain->forward(x);
  at::manual_seed(4);
  const at::Tensor expected = add_noise(normalized, {});
  at::manual_seed(4);
  EXPECT_TRUE(at::allclose(noisy->forward(x), expected));
  noisy->eval();
  plain->eval();
  EXPECT_TRUE(at::equal(noisy->forward(x), plain->forward(x))) << "the running statistics are those without noise";
  const auto alone = layer(noise_kind());
  alone->eval();
  EXPECT_TRUE(at::equal(alone->forward(x), x));
}

TEST(Noise, IsTheSameForAnyNumberOfThreadsAndMemoryFormat) {
  const at::Tensor x = at::randn({33, kChannels, 14, 14});
  const auto noisy = [](at::Tensor batch, int threads) {
    at::set_num_threads(threads);
    at::manual_seed(6);
    batch = batch.detach().set_requires_grad(true);
    const at::Tensor y = add_noise(batch, {});
    y.square().sum().backward();
    at::set_num_threads(1);
    EXPECT_EQ(y.strides(), batch.strides());
    return std::pair(y.detach(), batch.grad());
  };
  const auto [y, dx] = noisy(x, 1);
  for (const int threads : {1, 2, 3}) {
    for (const at::Tensor& batch : {x, x.contiguous(at::MemoryFormat::ChannelsLast)}) {
      const auto [again, dx_again] = noisy(batch, threads);
      EXPECT_TRUE(at::equal(again, y) && at::equal(dx_again, dx)) << threads << " threads";
    }
  }
}

TEST(Noise, DerivativesAreThoseOfFiniteDifferences) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const at::Tensor x = at::randn({7, kChannels, 3}, type).set_requires_grad(true), v = at::randn_like(x);
    const auto loss = [](const at::Tensor& at) {
      at::manual_seed(7);
      return add_noise(at, {}).pow(3).to(at::kDouble).sum();
    };
    const auto slope = [&](const at::Tensor& at, bool graph) {
      return torch::autograd::grad({loss(at)}, {at}, {}, graph, graph).front();
    };
    const double step = type == at::kDouble ? 1e-5 : 1e-2, tolerance = type == at::kDouble ? 1e-8 : 2e-3;
    const at::Tensor left = x.detach() - step * v, right = x.detach() + step * v;
    const double along = (slope(x, false) * v).sum().item<double>();
    const double difference = (loss(right) - loss(left)).item<double>() / (2 * step);
    EXPECT_NEAR(along / difference, 1, tolerance);
    const at::Tensor g = slope(x, true);
    const double second = (torch::autograd::grad({(g * v).sum()}, {x}).front() * v).sum().item<double>();
    const auto slope_along = [&](at::Tensor at) {
      return (slope(at.set_requires_grad(true), false) * v).sum().item<double>();
    };
    EXPECT_NEAR(second / ((slope_along(right) - slope_along(left)) / (2 * step)), 1, tolerance);
  }
}

TEST(Noise, FollowsTheGeneratorsStateAndMovesIt) {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const at::Tensor x = at::randn({8, kChannels}), state = generator.get_state();
  const at::Tensor first = add_noise(x, {}), second = add_noise(x, {});
  EXPECT_FALSE(at::equal(first, second));
  generator.set_state(state);
  EXPECT_TRUE(at::equal(add_noise(x, {}), first));
  EXPECT_TRUE(at::equal(add_noise(x, {}), second));
}

TEST(Noise, GradientIsTheFactor) {
  const at::Tensor x = at::randn({16, kChannels, 3, 3}).set_requires_grad(true);
  at::manual_seed(5);
  const at::Tensor y = layer(noise_kind())->forward(x);
  y.sum().backward();
  at::manual_seed(5);
  const at::Tensor shifted = layer(noise_kind())->forward(x.detach() + 1);
  EXPECT_TRUE(at::allclose(x.grad(), shifted - y.detach(), 1e-4, 1e-5));
}

}  // namespace
}  // namespace bnlab
