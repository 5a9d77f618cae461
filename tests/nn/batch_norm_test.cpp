// The layer: parameters, running statistics and modes.
#include "bnlab/nn/batch_norm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/oracle/batch_norm_oracle.h"

namespace bnlab {
namespace {

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

TEST(BatchNorm, RegistersPytorchsNames) {
  const BatchNorm affine({.channels = 3});
  EXPECT_EQ(affine.named_parameters().keys(), (std::vector<std::string>{"weight", "bias"}));
  EXPECT_EQ(affine.named_buffers().keys(),
            (std::vector<std::string>{"running_mean", "running_var", "num_batches_tracked"}));
  EXPECT_TRUE(at::equal(affine.gamma(), at::ones({3})));
  EXPECT_TRUE(at::equal(affine.beta(), at::zeros({3})));
  EXPECT_TRUE(affine.gamma().requires_grad());
  EXPECT_FALSE(affine.running_mean().requires_grad());

  const BatchNorm plain({.channels = 3, .affine = false});
  EXPECT_TRUE(plain.named_parameters().is_empty());
  EXPECT_FALSE(plain.gamma().defined());
}

TEST(BatchNorm, RunningStatisticsFollowTheOracleAndAten) {
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    BatchNorm norm({.channels = 3, .momentum = 0.3});
    std::vector<double> mean(3, 0), var(3, 1);
    const at::Tensor aten_mean = at::zeros({3}), aten_var = at::ones({3});
    for (int step = 0; step < 5; ++step) {
      const at::Tensor x = at::randn({4, 3, 2, 2}) * (step + 1) + step;
      (void)norm.forward(x.contiguous(format));
      const at::Tensor values = x.to(at::kDouble).contiguous();
      const double* data = values.data_ptr<double>();
      oracle::update_running({4, 3, 4, false, {data, data + values.numel()}}, 0.3, mean, var);
      (void)at::batch_norm(x, {}, {}, aten_mean, aten_var, true, 0.3, 1e-5, false);
    }
    EXPECT_TRUE(largest_difference(norm.running_mean(), at::tensor(mean)) <= 1e-5);
    EXPECT_TRUE(largest_difference(norm.running_var(), at::tensor(var)) <= 1e-4);
    EXPECT_TRUE(largest_difference(norm.running_mean(), aten_mean) <= 1e-5);
    EXPECT_TRUE(largest_difference(norm.running_var(), aten_var) <= 1e-4);
    EXPECT_EQ(norm.num_batches_tracked(), 5);
  }
}

TEST(BatchNorm, EvaluationUsesAndKeepsRunningStatistics) {
  BatchNorm norm({.channels = 3});
  for (int step = 0; step < 3; ++step) (void)norm.forward(at::randn({8, 3}) * 2 + 5);
  norm.eval();
  const at::Tensor mean = norm.running_mean().clone(), var = norm.running_var().clone();
  const at::Tensor x = at::randn({1, 3});
  const at::Tensor y = norm.forward(x);
  EXPECT_TRUE(largest_difference(y.detach(), (x - mean) / (var + 1e-5).sqrt()) <= 1e-5);
  EXPECT_TRUE(at::equal(norm.running_mean(), mean));
  EXPECT_TRUE(at::equal(norm.running_var(), var));
  EXPECT_EQ(norm.num_batches_tracked(), 3);
}

TEST(BatchNorm, GradientsReachTheParameters) {
  BatchNorm norm({.channels = 3});
  const at::Tensor x = at::randn({6, 3, 2}), dy = at::randn({6, 3, 2});
  norm.forward(x).backward(dy);
  EXPECT_TRUE(largest_difference(norm.beta().grad(), dy.sum(at::IntArrayRef{0, 2})) <= 1e-5);
  EXPECT_GT(norm.gamma().grad().abs().max().item<float>(), 0.01F);
}

TEST(BatchNorm, MovesToDoubleAsAWhole) {
  BatchNorm norm({.channels = 3});
  norm.to(at::kDouble);
  EXPECT_EQ(norm.gamma().scalar_type(), at::kDouble);
  EXPECT_EQ(norm.running_var().scalar_type(), at::kDouble);
  EXPECT_EQ(norm.forward(at::randn({6, 3}, at::kDouble)).scalar_type(), at::kDouble);
}

TEST(BatchNorm, RefusesWhatDoesNotFit) {
  EXPECT_THROW(BatchNorm({.channels = 0}), c10::Error);
  EXPECT_THROW(BatchNorm({.channels = 3, .momentum = 1.5}), c10::Error);
  BatchNorm norm({.channels = 3, .affine = false});
  EXPECT_THROW((void)norm.forward(at::randn({6, 4})), c10::Error);
  EXPECT_THROW((void)norm.forward(at::randn({1, 3})), c10::Error);
  EXPECT_EQ(norm.num_batches_tracked(), 0);
  EXPECT_TRUE(at::equal(norm.running_mean(), at::zeros({3})));
}

TEST(BatchNorm, IsMadeByItsKind) {
  const NormKind kind = batch_norm_kind();
  EXPECT_EQ(kind.kind, "batch");
  const auto norm = kind.make(4, {{"eps", 1e-3}, {"momentum", 0.2}, {"affine", 0}});
  const auto& made = dynamic_cast<const BatchNorm&>(*norm);
  EXPECT_EQ(made.options().channels, 4);
  EXPECT_EQ(made.options().eps, 1e-3);
  EXPECT_EQ(made.options().momentum, 0.2);
  EXPECT_FALSE(made.options().affine);
}

}  // namespace
}  // namespace bnlab
