// The deep linear network against the product of its matrices, and its gradient against the closed form.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "bnlab/data/linear_task.h"
#include "bnlab/nn/model_list.h"
#include "bnlab/train/loss_closure.h"

namespace bnlab {
namespace {

constexpr TaskShape kShape{10, 1, 10};

std::shared_ptr<Network> make(const std::string& norm, double normalized = 24) {
  const ModelKind& kind = find_model_kind("dln");
  const NormChoice choice{norm, false, complete_options(find_norm_kind(norm).options, {}, norm)};
  const auto network = kind.make(complete_options(kind.options, {{"normalized", normalized}}, "dln"), choice, kShape);
  init_parameters(*network, "glorot-normal", 5);
  return network;
}

at::Tensor weight(Network& network, int64_t number) {
  return network.layer(number).named_parameters()["linear.weight"].detach().to(at::kDouble);
}

at::Tensor product(Network& network, int64_t first, int64_t last) {
  at::Tensor all = at::eye(10, at::kDouble);
  for (int64_t number = first; number <= last; ++number) all = weight(network, number).matmul(all);
  return all;
}

TEST(Dln, IsTheProductOfItsMatrices) {
  const auto network = make("none");
  const at::Tensor x = at::randn({7, 10, 1, 1});
  const at::Tensor expected = x.flatten(1).to(at::kDouble).matmul(product(*network, 1, 25).t());
  EXPECT_TRUE(at::allclose(network->forward(x).to(at::kDouble), expected, 1e-4, 1e-6));
}

// dL/dW_i = 2 (W_k … W_{i+1})^T E (W_{i-1} … W_1 x)^T with E = Wx - Ax.
TEST(Dln, GradientIsTheClosedForm) {
  const Dataset task = make_linear_task({});
  const auto network = make("none");
  const at::Tensor loss = batch_loss(network->forward(task.train.images), task.train.labels);
  const at::Tensor x = task.train.images.flatten(1).to(at::kDouble).t(), y = task.train.labels.to(at::kDouble).t();
  const at::Tensor error = product(*network, 1, 25).matmul(x) - y;
  EXPECT_NEAR(loss.item<double>() / error.square().sum().item<double>(), 1, 1e-5);
  EXPECT_GT(loss.item<double>(), 2e4) << "1,000 samples, 10 outputs of variance 10: near 1e5";
  for (const int64_t number : {1, 9, 17, 25}) {
    const at::Tensor w = network->layer(number).named_parameters()["linear.weight"];
    const at::Tensor gradient = torch::autograd::grad({loss}, {w}, {}, /*retain_graph=*/true).front();
    const at::Tensor expected =
        2 * product(*network, number + 1, 25).t().matmul(error).matmul(product(*network, 1, number - 1).matmul(x).t());
    const double distance = (gradient.to(at::kDouble) - expected).norm().item<double>();
    EXPECT_LT(distance, 1e-4 * expected.norm().item<double>()) << number;
  }
}

TEST(Dln, NormalizationStandsBehindTheFirstLayers) {
  int64_t normalized = 0;
  const auto network = make("batch", 3);
  for (int64_t number = 1; number <= 25; ++number) {
    normalized += network->layer(number).named_parameters().contains("norm.weight") ? 1 : 0;
    EXPECT_EQ(network->layer(number).named_parameters().contains("norm.weight"), number <= 3);
  }
  EXPECT_EQ(normalized, 3);
}

TEST(Dln, NeedsASquareTask) {
  const ModelKind& kind = find_model_kind("dln");
  EXPECT_THROW(kind.make(complete_options(kind.options, {}, "dln"), {}, {3, 32, 10}), OptionError);
}

}  // namespace
}  // namespace bnlab
