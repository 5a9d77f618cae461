// The layer: parameters, running statistics and modes.
#include "bnlab/nn/batch_norm.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

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
  EXPECT_THROW(BatchNorm({.channels = 3, .window = -1}), c10::Error);
  EXPECT_THROW(BatchNorm({.channels = 3, .track_running_stats = false, .window = 4}), c10::Error);
  BatchNorm norm({.channels = 3, .affine = false});
  EXPECT_THROW((void)norm.forward(at::randn({6, 4})), c10::Error);
  EXPECT_THROW((void)norm.forward(at::randn({1, 3})), c10::Error);
  EXPECT_EQ(norm.num_batches_tracked(), 0);
  EXPECT_TRUE(at::equal(norm.running_mean(), at::zeros({3})));
}

/// Names of all buffers.
std::vector<std::string> buffers(const BatchNormOptions& options) {
  return BatchNorm(options).named_buffers().keys();
}

TEST(BatchNorm, HasFurtherBuffersOnlyWhereAskedFor) {
  const std::vector<std::string> pytorchs = {"running_mean", "running_var", "num_batches_tracked"};
  EXPECT_EQ(buffers({.channels = 3, .momentum = std::nullopt, .once_per_step = true}), pytorchs);
  EXPECT_EQ(
      buffers({.channels = 3, .window = 4}),
      (std::vector<std::string>{"running_mean", "running_var", "num_batches_tracked", "window_mean", "window_var"}));
  EXPECT_EQ(buffers({.channels = 3, .skip_nonfinite = true}),
            (std::vector<std::string>{"running_mean", "running_var", "num_batches_tracked", "skipped"}));
  EXPECT_EQ(buffers({.channels = 3, .track_running_stats = false}), std::vector<std::string>{});
}

TEST(BatchNorm, WithoutTrackingItEvaluatesByTheBatch) {
  BatchNorm norm({.channels = 3, .track_running_stats = false});
  const at::Tensor x = at::randn({8, 3, 4}) * 3 + 2;
  const at::Tensor training = norm.forward(x);
  norm.eval();
  EXPECT_TRUE(at::equal(norm.forward(x), training));
  EXPECT_EQ(norm.num_batches_tracked(), 0);
}

/// The mean of batch number i is i, its unbiased variance i*i*20/19 with 20 values per channel.
at::Tensor batch(int i) {
  const at::Tensor ones = at::ones({10, 3});
  return i + i * at::cat({ones, -ones});
}

TEST(BatchNorm, WithoutMomentumItTracksTheMeanOfAllBatches) {
  BatchNorm norm({.channels = 3, .momentum = std::nullopt});
  for (int i = 1; i <= 4; ++i) (void)norm.forward(batch(i));
  EXPECT_TRUE(largest_difference(norm.running_mean(), at::full({3}, 2.5)) <= 1e-6);
  EXPECT_TRUE(largest_difference(norm.running_var(), at::full({3}, 7.5 * 20 / 19)) <= 1e-6);
}

TEST(BatchNorm, AWindowTracksTheMeanOfTheLastBatches) {
  BatchNorm norm({.channels = 3, .window = 2});
  for (int i = 1; i <= 4; ++i) (void)norm.forward(batch(i));
  EXPECT_TRUE(largest_difference(norm.running_mean(), at::full({3}, 3.5)) <= 1e-6);
  EXPECT_TRUE(largest_difference(norm.running_var(), at::full({3}, 12.5 * 20 / 19)) <= 1e-6);
  EXPECT_EQ(norm.num_batches_tracked(), 4);
}

TEST(BatchNorm, SkipsWhatIsNotFiniteAndCountsIt) {
  BatchNorm norm({.channels = 3, .momentum = 1.0, .skip_nonfinite = true});
  (void)norm.forward(batch(1));
  const at::Tensor bad = batch(2);
  bad[3][1] = std::nan("");
  EXPECT_TRUE(norm.forward(bad).isnan().any().item<bool>());
  EXPECT_EQ(norm.skipped(), 1);
  EXPECT_EQ(norm.num_batches_tracked(), 1);
  EXPECT_TRUE(largest_difference(norm.running_mean(), at::ones({3})) <= 1e-6);
}

TEST(BatchNorm, OncePerStepTakesTheFirstBatchOfEachStep) {
  BatchNorm norm({.channels = 3, .momentum = 1.0, .once_per_step = true});
  BatchNorm other({.channels = 3, .momentum = 1.0});
  for (int i = 1; i <= 3; ++i) {
    for (BatchNorm* each : {&norm, &other}) {
      (void)each->forward(batch(i));
      (void)each->forward(batch(i + 10));
    }
    EXPECT_TRUE(largest_difference(norm.running_mean(), at::full({3}, double(i))) <= 1e-6);
    EXPECT_TRUE(largest_difference(other.running_mean(), at::full({3}, double(i + 10))) <= 1e-6);
    advance_step();
  }
  EXPECT_EQ(norm.num_batches_tracked(), 3);
  EXPECT_EQ(other.num_batches_tracked(), 6);
}

TEST(BatchNorm, FusedFormsAreTheComposedOnes) {
  for (const bool training : {true, false}) {
    BatchNorm fused({.channels = 3}), composed({.channels = 3});
    fused.train(training);
    composed.train(training);
    const at::Tensor x = at::randn({4, 3, 5, 5}), addend = at::randn({4, 3, 5, 5});
    EXPECT_TRUE(at::equal(fused.forward_relu(x), composed.Norm::forward_relu(x)));
    const at::Tensor y = fused.forward_add_relu(x, addend);
    EXPECT_TRUE(largest_difference(y.detach(), composed.Norm::forward_add_relu(x, addend).detach()) <= 1e-6);
    EXPECT_TRUE(at::equal(fused.running_mean(), composed.running_mean()));
    EXPECT_TRUE(at::equal(fused.running_var(), composed.running_var()));
  }
}

TEST(BatchNorm, IsMadeByItsKind) {
  const NormKind kind = batch_norm_kind();
  EXPECT_EQ(kind.kind, "batch");
  const auto norm = kind.make(4, {{"eps", 1e-3}, {"momentum", 0.2}, {"affine", 0}, {"gamma", 1}, {"beta", 1}});
  const auto& made = dynamic_cast<const BatchNorm&>(*norm);
  EXPECT_EQ(made.options().channels, 4);
  EXPECT_EQ(made.options().eps, 1e-3);
  EXPECT_EQ(made.options().momentum, 0.2);
  EXPECT_FALSE(made.options().affine);
}

TEST(BatchNorm, LearnsGammaOrBetaAlone) {
  const Options defaults = {{"eps", 1e-5}, {"momentum", 0.1}, {"affine", 1}, {"gamma", 1}, {"beta", 1}};
  const at::Tensor x = at::randn({8, 3, 2, 2});
  for (const std::string frozen : {"gamma", "beta"}) {
    Options options = defaults;
    options[frozen] = 0;
    const auto norm = batch_norm_kind().make(3, options);
    const std::string left = frozen == "gamma" ? "bias" : "weight";
    EXPECT_EQ(norm->named_parameters().keys(), std::vector<std::string>{left});
    const at::Tensor value = at::tensor({2.0F, -1.0F, 0.5F});
    {
      at::NoGradGuard no_grad;
      norm->named_parameters()[left].copy_(value);
    }
    BatchNorm plain({.channels = 3, .affine = false});
    const at::Tensor yhat = plain.forward(x), own = value.view({1, 3, 1, 1});
    const at::Tensor expected = frozen == "gamma" ? yhat + own : yhat * own;
    EXPECT_TRUE(largest_difference(norm->forward(x).detach(), expected) <= 1e-6) << frozen;
  }
}

}  // namespace
}  // namespace bnlab
