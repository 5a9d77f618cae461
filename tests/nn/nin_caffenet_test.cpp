// NiN and CaffeNet for small images: sizes worked out by hand, and the pass against ATen's operators.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

#include "bnlab/nn/models/caffenet.h"
#include "bnlab/nn/models/nin.h"
#include "tests/nn/passes.h"

namespace bnlab {
namespace {

using testing::norm_choice;
using testing::parameter_count;

std::shared_ptr<Network> make(const ModelKind& kind, const Options& options, const TaskShape& shape,
                              const NormChoice& norm = norm_choice("none")) {
  return kind.make(complete_options(kind.options, options, kind.name), norm, shape);
}

/// Sizes of what each layer gives, before a pool.
std::vector<std::vector<int64_t>> sizes(Network& network, const at::Tensor& x) {
  std::vector<std::vector<int64_t>> all;
  network.forward(x, [&](int64_t, TapPoint point, at::Tensor& y) {
    if (point == TapPoint::kOutput) all.push_back(y.sizes().slice(1).vec());
  });
  return all;
}

TEST(Nin, HasTheLayersOfTheOriginal) {
  const auto network = make(nin_kind(), {}, {3, 32, 10});
  EXPECT_EQ(parameter_count(*network), 966'986);
  EXPECT_EQ(network->layers(), 8);
  const int64_t first = 3 * 192 * 25 + 192 * 160 + 160 * 96, second = 96 * 192 * 25 + 2 * 192 * 192,
                third = 192 * 192 * 9 + 192 * 192 + 1920;
  EXPECT_EQ(network->macs_per_example(), 1024 * first + 256 * second + 64 * third);
  EXPECT_EQ(sizes(*make(nin_kind(), {{"width", 0.25}}, {3, 14, 10}), at::randn({2, 3, 14, 14})),
            (std::vector<std::vector<int64_t>>{
                {48, 14, 14}, {40, 14, 14}, {24, 14, 14}, {48, 7, 7}, {48, 7, 7}, {48, 7, 7}, {48, 3, 3}, {48, 3, 3}}));
}

TEST(CaffeNet, HasTheLayersOfTheOriginal) {
  const auto network = make(caffenet_kind(), {}, {3, 32, 10});
  EXPECT_EQ(parameter_count(*network), 16'327'050);
  EXPECT_EQ(network->macs_per_example(), 1024 * 3 * 96 * 25 + 256 * 96 * 256 * 25 +
                                             64 * 9 * (256 * 384 + 384 * 384 + 384 * 256) + 4096 * 2048 + 2048 * 2048 +
                                             20'480);
  EXPECT_EQ(
      sizes(*make(caffenet_kind(), {{"width", 0.25}}, {1, 14, 10}), at::randn({2, 1, 14, 14})),
      (std::vector<std::vector<int64_t>>{{24, 14, 14}, {64, 7, 7}, {96, 3, 3}, {96, 3, 3}, {64, 3, 3}, {512}, {512}}));
}

TEST(Nin, IsItsFormula) {
  at::manual_seed(3);
  const auto network = make(nin_kind(), {{"width", 0.02}}, {2, 9, 3});
  const at::Tensor x = at::randn({4, 2, 9, 9});
  const auto parameters = network->named_parameters();
  const auto convolved = [&](const std::string& name, const at::Tensor& y) {
    const at::Tensor weight = parameters[name + "weight"];
    return at::conv2d(y, weight, parameters[name + "bias"], 1, weight.size(2) / 2);
  };
  at::Tensor y = x;
  for (int64_t layer = 1; layer <= 8; ++layer) {
    y = convolved("layer" + std::to_string(layer) + ".conv.", y).clamp_min(0);
    if (layer == 3) y = std::get<0>(y.slice(2, 0, 8).slice(3, 0, 8).unfold(2, 2, 2).unfold(3, 2, 2).flatten(4).max(4));
    if (layer == 6) y = y.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4).mean(4);
  }
  y = convolved("head.", y).flatten(2).mean(2);
  EXPECT_TRUE(at::allclose(network->forward(x), y, 1e-4, 1e-5));
  EXPECT_GT(y.std().item<double>(), 0);
}

TEST(CaffeNet, IsItsFormula) {
  at::manual_seed(4);
  const auto network = make(caffenet_kind(), {{"width", 0.03}}, {1, 10, 3});
  const at::Tensor x = at::randn({4, 1, 10, 10});
  const auto parameters = network->named_parameters();
  at::Tensor y = x;
  for (int64_t layer = 1; layer <= 7; ++layer) {
    const std::string name = "layer" + std::to_string(layer) + (layer <= 5 ? ".conv." : ".linear.");
    const at::Tensor weight = parameters[name + "weight"], bias = parameters[name + "bias"];
    y = (layer <= 5 ? at::conv2d(y, weight, bias, 1, weight.size(2) / 2) : y.flatten(1).matmul(weight.t()) + bias)
            .clamp_min(0);
    if (layer == 1 || layer == 2 || layer == 5) y = at::max_pool2d(y, {2, 2});
  }
  y = y.matmul(parameters["head.weight"].t()) + parameters["head.bias"];
  EXPECT_TRUE(at::allclose(network->forward(x), y, 1e-4, 1e-5));
  EXPECT_GT(y.std().item<double>(), 0);
}

TEST(NinAndCaffeNet, NormalizeEveryLayerWhereTheyAreAsked) {
  for (const ModelKind& kind : {nin_kind(), caffenet_kind()}) {
    for (const bool after : {false, true}) {
      const auto network = make(kind, {{"width", 0.1}}, {1, 14, 10}, norm_choice("batch", after));
      const at::Tensor x = at::randn({8, 1, 14, 14});
      network->train();
      network->forward(x, [&](int64_t layer, TapPoint point, at::Tensor& y) {
        if (point != (after ? TapPoint::kOutput : TapPoint::kActivationInput)) return;
        const at::Tensor channels = y.transpose(0, 1).flatten(1);
        EXPECT_LT(channels.mean(1).abs().max().item<double>(), 1e-4) << kind.name << layer;
      });
      EXPECT_EQ(network->buffers().size(), static_cast<size_t>(3 * network->layers())) << kind.name;
    }
  }
}

TEST(NinAndCaffeNet, RefuseImagesThatTheyWouldPoolAway) {
  EXPECT_NO_THROW(make(nin_kind(), {}, {1, 4, 10})->forward(at::zeros({2, 1, 4, 4})));
  EXPECT_NO_THROW(make(caffenet_kind(), {{"width", 0.1}}, {1, 8, 10})->forward(at::zeros({2, 1, 8, 8})));
  EXPECT_THROW(make(nin_kind(), {}, {1, 3, 10}), OptionError);
  EXPECT_THROW(make(caffenet_kind(), {}, {1, 7, 10}), OptionError);
}

}  // namespace
}  // namespace bnlab
