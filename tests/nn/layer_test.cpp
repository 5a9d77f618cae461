// The layer of every model: the order of its parts, and that a tap changes no bits.
#include "bnlab/nn/models/layer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/function.h>

#include <vector>

#include "bnlab/nn/norm_list.h"
#include "tests/nn/passes.h"

namespace bnlab {
namespace {

using testing::expect_equal;
using testing::norm_choice;
using testing::Pass;

/// A training pass, and the state it leaves.
Pass run(Layer& layer, const at::Tensor& x, const at::Tensor& dy, const Tap& tap) {
  layer.zero_grad();
  const at::Tensor leaf = x.detach().clone().set_requires_grad(true);
  Pass pass;
  pass.y = layer.forward(leaf, 1, tap);
  pass.y.backward(dy);
  pass.gradients = {leaf.grad()};
  for (const at::Tensor& parameter : layer.parameters()) pass.gradients.push_back(parameter.grad().clone());
  for (const at::Tensor& buffer : layer.buffers()) pass.buffers.push_back(buffer.clone());
  return pass;
}

TEST(Layer, ATapChangesNoBits) {
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    for (const char* kind : {"batch", "none"}) {
      for (const bool after_activation : {false, true}) {
        Layer tapped(convolution(3, 16, 3), norm_choice(kind, after_activation), Activation::kRelu),
            untapped(convolution(3, 16, 3), norm_choice(kind, after_activation), Activation::kRelu);
        const at::NoGradGuard no_grad;
        for (std::size_t i = 0; i < tapped.parameters().size(); ++i) {
          untapped.parameters()[i].copy_(tapped.parameters()[i]);
        }
        const at::AutoGradMode with_grad(true);
        const at::Tensor x = at::randn({8, 3, 12, 12}).contiguous(format);
        const at::Tensor dy = at::randn({8, 16, 12, 12}).contiguous(format);
        int shown = 0;
        const Pass with = run(tapped, x, dy, [&](int64_t, TapPoint, const at::Tensor&) { ++shown; });
        const Pass without = run(untapped, x, dy, {});
        EXPECT_EQ(shown, 3);
        EXPECT_TRUE(at::equal(with.y, without.y));
        expect_equal(with.gradients, without.gradients);
        expect_equal(with.buffers, without.buffers);
      }
    }
  }
}

/// The name of the node that made a tensor.
std::string maker(const at::Tensor& y) {
  return y.grad_fn()->name();
}

TEST(Layer, FusesNormAndReluWhereNobodyLooksBetween) {
  const at::Tensor x = at::randn({2, 3, 4, 4});
  const Tap tap = [](int64_t, TapPoint, const at::Tensor&) {};
  Layer before(convolution(3, 4, 3), norm_choice("batch", false), Activation::kRelu),
      after(convolution(3, 4, 3), norm_choice("batch", true), Activation::kRelu);
  EXPECT_NE(maker(before.forward(x, 1, {})), "ReluBackward0");
  EXPECT_EQ(maker(before.forward(x, 1, tap)), "ReluBackward0");
  EXPECT_TRUE(after.forward(x, 1, {}).lt(0).any().item<bool>()) << "the normalization comes last";
}

}  // namespace
}  // namespace bnlab
