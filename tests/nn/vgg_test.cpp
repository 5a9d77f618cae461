// VGG for small images: sizes worked out by hand, with all pools and with fewer.
#include "bnlab/nn/models/vgg.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/nn/passes.h"

namespace bnlab {
namespace {

using testing::parameter_count;

std::shared_ptr<Network> make_vgg(const ModelKind& kind, const Options& options, int64_t size) {
  const NormChoice norm{"none", false, {}};
  return kind.make(complete_options(kind.options, options, kind.name), norm, {3, size, 10});
}

/// Height of what each layer gives before its pool.
std::vector<int64_t> heights(Network& network, int64_t size) {
  std::vector<int64_t> all;
  const at::Tensor logits = network.forward(at::randn({2, 3, size, size}), [&](int64_t, TapPoint point, at::Tensor& y) {
    if (point == TapPoint::kOutput) all.push_back(y.size(2));
  });
  EXPECT_EQ(logits.sizes(), (at::IntArrayRef{2, 10}));
  return all;
}

// Column A's convolutions hold 9,220,480 weights and biases; the head sees 512 channels of 1×1.
TEST(Vgg, HasTheLayersOfTheOriginal) {
  const auto network = make_vgg(vgg11_kind(), {}, 32);
  EXPECT_EQ(heights(*network, 32), (std::vector<int64_t>{32, 16, 8, 8, 4, 4, 2, 2}));
  EXPECT_EQ(parameter_count(*network), 9'220'480 + 5'130);
}

TEST(Vgg, KeepsTheFirstPools) {
  EXPECT_EQ(heights(*make_vgg(vgg11_kind(), {{"pools", 3}, {"width", 0.25}}, 14), 14),
            (std::vector<int64_t>{14, 7, 3, 3, 1, 1, 1, 1}));
  EXPECT_EQ(heights(*make_vgg(vgg11_kind(), {{"pools", 4}, {"width", 0.25}}, 16), 16),
            (std::vector<int64_t>{16, 8, 4, 4, 2, 2, 1, 1}));
  EXPECT_EQ(heights(*make_vgg(vgg16_kind(), {{"pools", 3}, {"width", 0.25}}, 14), 14),
            (std::vector<int64_t>{14, 14, 7, 7, 3, 3, 3, 1, 1, 1, 1, 1, 1}));
  const auto wide_head = make_vgg(vgg11_kind(), {{"pools", 3}}, 32);  // ends at 4×4
  EXPECT_EQ(heights(*wide_head, 32), (std::vector<int64_t>{32, 16, 8, 8, 4, 4, 4, 4}));
  EXPECT_EQ(parameter_count(*wide_head), 9'220'480 + 16 * 5'120 + 10);
}

TEST(Vgg, MultiplicationsShrinkWithTheImage) {
  const int64_t first = 3 * 64 * 9, second = 64 * 128 * 9, third = 128 * 256 * 9, fourth = 256 * 256 * 9,
                fifth = 256 * 512 * 9, others = 3 * 512 * 512 * 9;
  EXPECT_EQ(make_vgg(vgg11_kind(), {{"pools", 3}}, 14)->macs_per_example(),
            14 * 14 * first + 7 * 7 * second + 3 * 3 * (third + fourth) + fifth + others + 5'120);
}

TEST(Vgg, RefusesImagesThatItWouldPoolAway) {
  for (const auto& [pools, least] : std::vector<std::pair<double, int64_t>>{{5, 32}, {4, 16}, {3, 8}}) {
    EXPECT_NO_THROW(make_vgg(vgg11_kind(), {{"pools", pools}, {"width", 0.1}}, least));
    try {
      make_vgg(vgg11_kind(), {{"pools", pools}}, least - 1);
      ADD_FAILURE() << "takes " << least - 1;
    } catch (const OptionError& error) {
      EXPECT_EQ(error.key(), "pad_to");
      EXPECT_NE(std::string(error.what()).find(std::to_string(least) + "×"), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(make_vgg(vgg11_kind(), {{"pools", 6}}, 64), OptionError);
}

}  // namespace
}  // namespace bnlab
