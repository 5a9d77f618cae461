// ResNet for small images: sizes worked out by hand, the function against plain ATen, taps.
#include "bnlab/nn/models/resnet.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/function.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "tests/nn/passes.h"

namespace bnlab {
namespace {

using testing::expect_equal;
using testing::norm_choice;
using testing::parameter_count;
using testing::Pass;

std::shared_ptr<Network> make(const ModelKind& kind, const NormChoice& norm, double width = 1,
                              const TaskShape& shape = {}) {
  auto network = kind.make({{"width", width}}, norm, shape);
  init_parameters(*network, "glorot-uniform", 7);
  return network;
}

// Weights without biases: 269,722 to 1,727,962 with BN; then a bias for each of the 224n + 16 channels.
TEST(ResNet, HasTheLayersAndParametersOfThePaper) {
  struct Size {
    ModelKind kind;
    int64_t layers, parameters, macs;
  };
  for (const Size& size :
       {Size{resnet20_kind(), 19, 269'722 + 688, 40'551'040}, Size{resnet32_kind(), 31, 464'154 + 1'136, 68'862'592},
        Size{resnet44_kind(), 43, 658'586 + 1'584, 97'174'144}, Size{resnet56_kind(), 55, 853'018 + 2'032, 125'485'696},
        Size{resnet110_kind(), 109, 1'727'962 + 4'048, 252'887'680}}) {
    SCOPED_TRACE(size.kind.name);
    const auto network = make(size.kind, norm_choice("batch"));
    EXPECT_EQ(network->layers(), size.layers);
    EXPECT_EQ(parameter_count(*network), size.parameters);
    EXPECT_EQ(network->macs_per_example(), size.macs);
    EXPECT_EQ(network->layer(1).parameters()[0].sizes(), (at::IntArrayRef{16, 3, 3, 3}));
    EXPECT_EQ(network->layer(size.layers).parameters()[0].sizes(), (at::IntArrayRef{64, 64, 3, 3}));
    EXPECT_EQ(find_model_kind(size.kind.name).title, size.kind.title);
  }
}

TEST(ResNet, WidthScalesTheChannels) {
  const auto network = make(resnet20_kind(), norm_choice("none"), 0.2);  // 3.2, 6.4 and 12.8 channels
  EXPECT_EQ(network->layer(1).parameters()[0].size(0), 3);
  EXPECT_EQ(network->layer(8).parameters()[0].sizes(), (at::IntArrayRef{6, 3, 3, 3}));
  EXPECT_EQ(network->layer(19).parameters()[0].size(0), 13);
}

/// The values of a layer's parameters by name.
std::map<std::string, at::Tensor> parameters_of(Network& network, int64_t layer) {
  std::map<std::string, at::Tensor> found;
  for (const auto& item : network.layer(layer).named_parameters()) found[item.key()] = item.value().detach();
  return found;
}

/// One layer by plain ATen: convolution, batch normalization written out, the shortcut, ReLU.
at::Tensor plain_layer(Network& network, int64_t layer, const at::Tensor& x, int64_t stride, const NormChoice& norm,
                       const at::Tensor& shortcut) {
  const auto p = parameters_of(network, layer);
  at::Tensor y = at::conv2d(x, p.at("conv.weight"), p.at("conv.bias"), stride, 1);
  const auto normalize = [&] {
    if (norm.kind == "none") return;
    const at::Tensor mean = y.mean({0, 2, 3}, true), centered = y - mean;
    y = centered / (centered.square().mean({0, 2, 3}, true) + norm.options.number("eps")).sqrt();
    y = y * p.at("norm.weight").reshape({1, -1, 1, 1}) + p.at("norm.bias").reshape({1, -1, 1, 1});
  };
  if (!norm.after_activation) normalize();
  if (shortcut.defined()) y = y + shortcut;
  y = y.clamp_min(0);
  if (norm.after_activation) normalize();
  return y;
}

/// ResNet-20 in training by plain ATen: He et al. 2016, section 4.2, layer by layer.
at::Tensor plain_resnet20(Network& network, at::Tensor x, const NormChoice& norm) {
  at::Tensor y = plain_layer(network, 1, x, 1, norm, {});
  for (int64_t layer = 2; layer < 20; layer += 2) {
    const bool halves = layer == 8 || layer == 14;
    at::Tensor shortcut = y;
    if (halves) {
      const int64_t size = (y.size(2) + 1) / 2, in = y.size(1);
      const int64_t out = parameters_of(network, layer).at("conv.weight").size(0);
      shortcut = at::zeros({y.size(0), out, size, size}, y.options());
      for (int64_t i = 0; i < size; ++i) {
        for (int64_t j = 0; j < size; ++j) {
          shortcut.select(3, j).select(2, i).narrow(1, 0, in).copy_(y.select(3, 2 * j).select(2, 2 * i));
        }
      }
    }
    const at::Tensor inner = plain_layer(network, layer, y, halves ? 2 : 1, norm, {});
    y = plain_layer(network, layer + 1, inner, 1, norm, shortcut);
  }
  const auto named = network.named_parameters();
  return at::linear(y.flatten(2).sum(2) / (y.size(2) * y.size(3)), named["head.weight"].detach(),
                    named["head.bias"].detach());
}

TEST(ResNet, IsTheFunctionOfThePaper) {
  const TaskShape shape{2, 11, 5};  // an odd size: 11, 6 and 3
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    for (const NormChoice& norm : {norm_choice("batch"), norm_choice("batch", true), norm_choice("none")}) {
      SCOPED_TRACE(norm.kind + (norm.after_activation ? " after activation" : ""));
      const auto network = make(resnet20_kind(), norm, 0.25, shape);
      network->to(at::kDouble);
      const at::NoGradGuard no_grad;
      for (at::Tensor& parameter : network->parameters()) {
        if (parameter.dim() == 1) parameter.uniform_(-0.5, 1);
      }
      const at::Tensor x = at::randn({4, 2, 11, 11}, at::kDouble).contiguous(format);
      const at::Tensor expected = plain_resnet20(*network, x, norm), y = network->forward(x);
      ASSERT_EQ(y.sizes(), (at::IntArrayRef{4, 5}));
      EXPECT_TRUE(at::allclose(y, expected, 1e-9, 1e-9)) << (y - expected).abs().max();
      EXPECT_GT(expected.std(0).max().item<double>(), 1e-3) << "the images must matter";
    }
  }
}

/// A training pass, and the state it leaves.
Pass run(Network& network, const at::Tensor& x, const at::Tensor& dy, const Tap& tap) {
  network.zero_grad();
  Pass pass;
  pass.y = network.forward(x, tap);
  pass.y.backward(dy);
  for (const at::Tensor& parameter : network.parameters()) pass.gradients.push_back(parameter.grad().clone());
  for (const at::Tensor& buffer : network.buffers()) pass.buffers.push_back(buffer.clone());
  return pass;
}

TEST(ResNet, ATapChangesNoBitsAndGradientsFlow) {
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    for (const NormChoice& norm : {norm_choice("batch"), norm_choice("batch", true), norm_choice("none")}) {
      SCOPED_TRACE(norm.kind + (norm.after_activation ? " after activation" : ""));
      const at::Tensor x = at::randn({8, 3, 16, 16}).contiguous(format), dy = at::randn({8, 10});
      const auto pass = [&](const Tap& tap) { return run(*make(resnet20_kind(), norm, 0.5), x, dy, tap); };
      const Pass with = pass([](int64_t, TapPoint, const at::Tensor&) {}), without = pass({});
      EXPECT_TRUE(at::equal(with.y, without.y));
      expect_equal(with.gradients, without.gradients);
      expect_equal(with.buffers, without.buffers);
      for (const at::Tensor& gradient : without.gradients) {
        EXPECT_TRUE(gradient.isfinite().all().item<bool>());
        if (gradient.dim() == 4) {
          EXPECT_GT(gradient.abs().max().item<double>(), 0);
        }
      }
    }
  }
}

TEST(ResNet, TapsSeeTheLayersInOrderAndTheSumBeforeItsReLU) {
  const auto network = make(resnet20_kind(), norm_choice("none"), 0.25);
  std::vector<std::pair<int64_t, TapPoint>> seen, expected;
  std::map<std::pair<int64_t, TapPoint>, at::Tensor> values;
  const at::NoGradGuard no_grad;
  network->forward(at::randn({2, 3, 32, 32}), [&](int64_t layer, TapPoint point, const at::Tensor& value) {
    seen.emplace_back(layer, point);
    values[{layer, point}] = value;
  });
  for (int64_t layer = 1; layer <= 19; ++layer) {
    for (const TapPoint point : {TapPoint::kLinear, TapPoint::kActivationInput, TapPoint::kOutput}) {
      expected.emplace_back(layer, point);
    }
  }
  EXPECT_EQ(seen, expected);
  const auto at_point = [&](int64_t layer, TapPoint point) { return values.at({layer, point}); };
  EXPECT_TRUE(at::equal(at_point(3, TapPoint::kActivationInput),
                        at_point(3, TapPoint::kLinear) + at_point(1, TapPoint::kOutput)));
  EXPECT_TRUE(at::equal(at_point(19, TapPoint::kOutput), at_point(19, TapPoint::kActivationInput).relu()));
}

TEST(ResNet, TwinsWithAndWithoutNormHaveTheSameWeights) {
  const auto normalized = make(resnet20_kind(), norm_choice("batch")),
             twin = make(resnet20_kind(), norm_choice("none"));
  const auto theirs = normalized->named_parameters();
  EXPECT_EQ(twin->named_parameters().size(), 2U * 19 + 2);
  for (const auto& item : twin->named_parameters()) {
    const at::Tensor* found = theirs.find(item.key());
    ASSERT_TRUE(found) << item.key();
    EXPECT_TRUE(at::equal(*found, item.value())) << item.key();
  }
}

/// How many nodes of the graph behind y are called `name`.
int count_nodes(const at::Tensor& y, const std::string& name) {
  std::vector<torch::autograd::Node*> open = {y.grad_fn().get()};
  std::set<torch::autograd::Node*> known(open.begin(), open.end());
  int count = 0;
  while (!open.empty()) {
    torch::autograd::Node* node = open.back();
    open.pop_back();
    count += node->name() == name;
    for (const auto& edge : node->next_edges()) {
      if (edge.function && known.insert(edge.function.get()).second) open.push_back(edge.function.get());
    }
  }
  return count;
}

TEST(ResNet, FusesNormAdditionAndReluWhereNobodyLooksBetween) {
  const at::Tensor x = at::randn({2, 3, 8, 8});
  const Tap tap = [](int64_t, TapPoint, const at::Tensor&) {};
  const auto network = make(resnet20_kind(), norm_choice("batch"));
  EXPECT_EQ(count_nodes(network->forward(x), "ReluBackward0"), 0);
  EXPECT_EQ(count_nodes(network->forward(x), "AddBackward0"), 0);
  EXPECT_EQ(count_nodes(network->forward(x, tap), "ReluBackward0"), 19);
  EXPECT_EQ(count_nodes(network->forward(x, tap), "AddBackward0"), 9);
}

}  // namespace
}  // namespace bnlab
