// The multilayer perceptron against its formula, with a normalization before and after the activation.
#include "bnlab/nn/models/mlp.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/nn/passes.h"

namespace bnlab {
namespace {

using testing::norm_choice;
using testing::parameter_count;

std::shared_ptr<Network> make_mlp(const Options& options, const NormChoice& norm, const TaskShape& shape) {
  const ModelKind kind = mlp_kind();
  return kind.make(complete_options(kind.options, options, kind.name), norm, shape);
}

at::Tensor parameter(Network& network, const std::string& name) {
  return network.named_parameters()[name];
}

at::Tensor activated(const std::string& activation, const at::Tensor& x) {
  if (activation == "sigmoid") return 1 / (1 + (-x).exp());
  if (activation == "tanh") return (x.exp() - (-x).exp()) / (x.exp() + (-x).exp());
  return x * (x > 0);
}

// 784·100 + 100, twice 100·100 + 100, 100·10 + 10: the network of Ioffe & Szegedy 2015, section 4.1.
TEST(Mlp, HasTheSizesOfTheOriginal) {
  const auto network = make_mlp({{"activation", "sigmoid"}}, norm_choice("none"), {1, 28, 10});
  EXPECT_EQ(network->layers(), 3);
  EXPECT_EQ(parameter_count(*network), 78'500 + 2 * 10'100 + 1'010);
  EXPECT_EQ(network->macs_per_example(), 78'400 + 2 * 10'000 + 1'000);
  const auto with = make_mlp({}, norm_choice("batch"), {1, 28, 10});
  EXPECT_EQ(parameter_count(*with), 78'500 + 2 * 10'100 + 1'010 + 3 * 200);
}

TEST(Mlp, IsItsFormula) {
  at::manual_seed(6);
  const at::Tensor x = at::randn({16, 2, 3, 3});
  for (const std::string activation : {"relu", "sigmoid", "tanh"}) {
    for (const std::string kind : {"none", "batch"}) {
      for (const bool after : {false, true}) {
        const auto network =
            make_mlp({{"layers", 2}, {"width", 5}, {"activation", activation}}, norm_choice(kind, after), {2, 3, 4});
        const auto normalized = [&](const at::Tensor& y) {
          if (kind == "none") return y;
          const at::Tensor centered = y - y.mean({0}, true);
          return centered / (centered.square().mean({0}, true) + 1e-5).sqrt();
        };
        at::Tensor y = x.flatten(1);
        for (const std::string layer : {"layer1", "layer2"}) {
          y = y.matmul(parameter(*network, layer + ".linear.weight").t()) + parameter(*network, layer + ".linear.bias");
          y = after ? normalized(activated(activation, y)) : activated(activation, normalized(y));
        }
        y = y.matmul(parameter(*network, "head.weight").t()) + parameter(*network, "head.bias");
        EXPECT_TRUE(at::allclose(network->forward(x), y, 1e-4, 1e-5)) << activation << " " << kind << " " << after;
        int seen = 0;
        const at::Tensor tapped = network->forward(x, [&](int64_t, TapPoint, at::Tensor&) { ++seen; });
        EXPECT_TRUE(at::equal(tapped, network->forward(x))) << activation << " " << kind << " " << after;
        EXPECT_EQ(seen, 6);
      }
    }
  }
}

TEST(Mlp, InitialScaleMultipliesWeightsAndNothingElse) {
  const auto once = make_mlp({{"width", 5}}, norm_choice("batch"), {2, 3, 4}),
             scaled = make_mlp({{"width", 5}}, norm_choice("batch"), {2, 3, 4});
  init_parameters(*once, "glorot-normal", 3);
  init_parameters(*scaled, "glorot-normal", 3, 4);
  for (const auto& item : once->named_parameters()) {
    const double factor = item.value().dim() >= 2 ? 4 : 1;  // gamma is 1, biases are 0
    EXPECT_TRUE(at::equal(parameter(*scaled, item.key()), factor * item.value())) << item.key();
  }
}

}  // namespace
}  // namespace bnlab
