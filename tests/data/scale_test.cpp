#include "bnlab/data/scale.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "bnlab/data/random.h"
#include "tests/data/test_files.h"

namespace bnlab {
namespace {

at::Tensor uneven_bytes(at::IntArrayRef sizes) {
  auto images = at::empty(sizes, at::kByte);
  Random random(3);
  for (int64_t i = 0; i < images.numel(); ++i) {
    images.data_ptr<uint8_t>()[i] = static_cast<uint8_t>(random.below(200) + i % 50);
  }
  return images;
}

void expect_moments(const at::Tensor& images, const ChannelScale& scale, double tolerance) {
  const auto x = images.to(at::kDouble).transpose(0, 1).flatten(1);
  ASSERT_EQ(static_cast<int64_t>(scale.mean.size()), x.size(0));
  for (int64_t c = 0; c < x.size(0); ++c) {
    EXPECT_NEAR(scale.mean[c], x[c].mean().item<double>(), tolerance);
    EXPECT_NEAR(scale.stddev[c], x[c].std(false).item<double>(), tolerance);
  }
}

TEST(ChannelScale, MatchesReferenceMoments) {
  const auto images = uneven_bytes({7, 3, 5, 6});
  expect_moments(images, ChannelScale::fit(images), 1e-11);
  expect_moments(images.to(at::kFloat), ChannelScale::fit(images.to(at::kFloat)), 1e-11);
}

TEST(ChannelScale, DoesNotOverflowOnLargePlanes) {
  const auto images = at::full({2, 1, 300, 300}, 255, at::kByte);
  images[0][0][0][0] = 0;
  expect_moments(images, ChannelScale::fit(images), 1e-9);
}

TEST(ChannelScale, WithPaddingGivesTheMomentsOfThePaddedImages) {
  const auto images = uneven_bytes({4, 2, 5, 6});
  const auto padded = at::constant_pad_nd(images, {1, 1, 1, 2});
  expect_moments(padded, ChannelScale::fit(images, 8), 1e-11);
  expect_moments(padded.to(at::kFloat), ChannelScale::fit(images.to(at::kFloat), 8), 1e-11);
}

TEST(ChannelScale, KeepsTheSpreadOfAFarAwayChannel) {  // large mean, small variance: 1e6 and 1e6 + 1 in turn
  const auto images = at::arange(64, at::kFloat).remainder(2).add(1e6).reshape({4, 1, 4, 4});
  EXPECT_DOUBLE_EQ(ChannelScale::fit(images).stddev[0], 0.5);
}

TEST(ChannelScale, LeavesAConstantChannelUnscaled) {
  auto images = uneven_bytes({3, 2, 4, 4});
  images.select(1, 1).fill_(77);
  for (const auto& stored : {images, images.to(at::kFloat).div(10)}) {
    const auto scale = ChannelScale::fit(stored);
    EXPECT_EQ(scale.stddev[1], 1.0);
    EXPECT_NE(scale.stddev[0], 1.0);
    EXPECT_NEAR(scale.mean[1], stored[0][1][0][0].item<double>(), 1e-6);
  }
}

TEST(ChannelScale, RefusesPixelsThatAreNotFinite) {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    auto images = at::zeros({2, 2, 3, 3});
    images[1][1][2][2] = bad;
    EXPECT_THAT(testing::data_error([&] { ChannelScale::fit(images); }), ::testing::HasSubstr("channel 1"));
  }
}

}  // namespace
}  // namespace bnlab
