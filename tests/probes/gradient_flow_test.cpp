#include "bnlab/probes/gradient_flow.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::MomentTest;
using testing::small_dataset;
using testing::small_spec;

TrainSpec deep_mlp(const std::string& norm, const std::string& activation, int64_t layers) {
  TrainSpec spec = small_spec(norm);
  spec.data.pad_to = 0;
  spec.model.name = "mlp";
  spec.model.options = {{"layers", static_cast<double>(layers)}, {"width", 8}, {"activation", activation}};
  return spec;
}

/// Norms of one layer.
struct Arriving {
  double linear, weight;
};

/// By the chain rule written out for an MLP whose layers all have BN, or none, in double and without autograd.
std::vector<Arriving> flow_by_hand(const testing::Moment& at, int64_t layers, bool bn, bool relu) {
  at::NoGradGuard no_grad;
  const auto p = at.network->named_parameters();
  const auto get = [&](int64_t layer, const std::string& name) {
    return p["layer" + std::to_string(layer) + "." + name].detach().to(at::kDouble);
  };
  at::Tensor x = at.batch.x.to(at::kDouble).flatten(1);
  std::vector<at::Tensor> inputs, normalized, deviations, slopes;
  for (int64_t layer = 1; layer <= layers; ++layer) {
    inputs.push_back(x);
    at::Tensor z = at::linear(x, get(layer, "linear.weight"), get(layer, "linear.bias"));
    if (bn) {
      deviations.push_back((z.var(0, false) + 1e-5).sqrt());
      normalized.push_back((z - z.mean(0)) / deviations.back());
      z = normalized.back() * get(layer, "norm.weight") + get(layer, "norm.bias");
    }
    x = relu ? z.relu() : z.sigmoid();
    slopes.push_back(relu ? (z > 0).to(at::kDouble) : x * (1 - x));
  }
  const at::Tensor head = p["head.weight"].detach().to(at::kDouble);
  const at::Tensor outputs = at::linear(x, head, p["head.bias"].detach().to(at::kDouble));
  at::Tensor g = (outputs.softmax(1) - at::one_hot(at.batch.y, outputs.size(1))) / static_cast<double>(x.size(0));
  g = g.matmul(head);
  std::vector<Arriving> found(static_cast<size_t>(layers));
  for (int64_t layer = layers; layer >= 1; --layer) {
    const auto i = static_cast<size_t>(layer - 1);
    g = g * slopes[i];
    if (bn) {
      g = g * get(layer, "norm.weight");
      g = (g - g.mean(0) - normalized[i] * (g * normalized[i]).mean(0)) / deviations[i];
    }
    found[i] = {g.norm().item<double>(), g.t().matmul(inputs[i]).norm().item<double>()};
    g = g.matmul(get(layer, "linear.weight"));
  }
  return found;
}

TEST_F(MomentTest, GradientFlowIsTheChainRule) {
  constexpr int64_t kLayers = 6;
  for (const char* norm : {"none", "batch"}) {
    const TrainSpec spec = deep_mlp(norm, "relu", kLayers);
    const auto expected = flow_by_hand(moment(spec, 2), kLayers, norm == std::string("batch"), true);
    RunReader reader = probed(spec, 2, "gradient-flow", Json::object());
    for (int64_t layer = 1; layer <= kLayers; ++layer) {
      const Arriving& it = expected[static_cast<size_t>(layer - 1)];
      ASSERT_GT(it.linear, 0);
      EXPECT_NEAR(*reader.scalar_at({"gradient-flow", layer, "linear"}, 2) / it.linear, 1, 1e-9) << norm << layer;
      EXPECT_NEAR(*reader.scalar_at({"gradient-flow", layer, "weight"}, 2) / it.weight, 1, 1e-9) << norm << layer;
    }
  }
}

// float ends at 1e-45.
TEST_F(MomentTest, GradientFlowDoesNotUnderflow) {
  constexpr int64_t kLayers = 100;
  const TrainSpec spec = deep_mlp("none", "sigmoid", kLayers);
  const double expected = flow_by_hand(moment(spec, 1), kLayers, false, false).front().linear;
  EXPECT_LT(expected, 1e-50);
  RunReader reader = probed(spec, 1, "gradient-flow", {{"layers", {1}}});
  EXPECT_NEAR(*reader.scalar_at({"gradient-flow", 1, "linear"}, 1) / expected, 1, 1e-9);
  EXPECT_FALSE(reader.scalar_at({"gradient-flow", 2, "linear"}, 1)) << "which nobody asked for";
}

}  // namespace
}  // namespace bnlab
