#include "bnlab/data/scale.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>
#include <functional>
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
  ASSERT_EQ(static_cast<int64_t>(scale.offset.size()), x.size(0));
  for (int64_t c = 0; c < x.size(0); ++c) {
    EXPECT_NEAR(scale.offset[c], x[c].mean().item<double>(), tolerance);
    EXPECT_NEAR(scale.unit[c], x[c].std(false).item<double>(), tolerance);
  }
}

TEST(ChannelScale, MatchesReferenceMoments) {
  const auto images = uneven_bytes({7, 3, 5, 6});
  expect_moments(images, ChannelScale::z_score(images), 1e-11);
  expect_moments(images.to(at::kFloat), ChannelScale::z_score(images.to(at::kFloat)), 1e-11);
}

TEST(ChannelScale, DoesNotOverflowOnLargePlanes) {
  const auto images = at::full({2, 1, 300, 300}, 255, at::kByte);
  images[0][0][0][0] = 0;
  expect_moments(images, ChannelScale::z_score(images), 1e-9);
}

TEST(ChannelScale, WithPaddingGivesTheMomentsOfThePaddedImages) {
  const auto images = uneven_bytes({4, 2, 5, 6});
  const auto padded = at::constant_pad_nd(images, {1, 1, 1, 2});
  expect_moments(padded, ChannelScale::z_score(images, 8), 1e-11);
  expect_moments(padded.to(at::kFloat), ChannelScale::z_score(images.to(at::kFloat), 8), 1e-11);
}

TEST(ChannelScale, KeepsTheSpreadOfAFarAwayChannel) {  // large mean, small variance: 1e6 and 1e6 + 1 in turn
  const auto images = at::arange(64, at::kFloat).remainder(2).add(1e6).reshape({4, 1, 4, 4});
  EXPECT_DOUBLE_EQ(ChannelScale::z_score(images).unit[0], 0.5);
}

TEST(ChannelScale, LeavesAConstantChannelUnscaled) {
  auto images = uneven_bytes({3, 2, 4, 4});
  images.select(1, 1).fill_(77);
  for (const auto& stored : {images, images.to(at::kFloat).div(10)}) {
    const auto scale = ChannelScale::z_score(stored);
    EXPECT_EQ(scale.unit[1], 1.0);
    EXPECT_NE(scale.unit[0], 1.0);
    EXPECT_NEAR(scale.offset[1], stored[0][1][0][0].item<double>(), 1e-6);
  }
}

const std::vector<std::function<ChannelScale(const at::Tensor&, int64_t)>>& ways() {
  static const std::vector<std::function<ChannelScale(const at::Tensor&, int64_t)>> all = {ChannelScale::z_score,
                                                                                           ChannelScale::min_max};
  return all;
}

TEST(ChannelScale, RefusesPixelsThatAreNotFinite) {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    for (const auto& fit : ways()) {
      auto images = at::zeros({2, 2, 3, 3});
      images[1][1][2][2] = bad;
      EXPECT_THAT(testing::data_error([&] { fit(images, 0); }), ::testing::HasSubstr("channel 1"));
    }
  }
}

// Rows are examples. Column 0: mean 5, squared deviations 16 + 0 + 16 + 0; column 1 is constant.
at::Tensor small_table() {
  return at::tensor({1.0, 7.0, 5.0, 7.0, 9.0, 7.0, 5.0, 7.0}, at::kFloat).view({4, 2});
}

TEST(ChannelScale, ScalesATableAndBack) {
  const at::Tensor table = small_table();
  const float deviation = std::sqrt(8.0F);
  const ChannelScale z = ChannelScale::z_score(table), range = ChannelScale::min_max(table);
  EXPECT_TRUE(at::allclose(z.transform(table),
                           at::tensor({-4 / deviation, 0.F, 0.F, 0.F, 4 / deviation, 0.F, 0.F, 0.F}).view({4, 2}), 1e-7,
                           0));
  EXPECT_TRUE(at::equal(range.transform(table), at::tensor({0.F, 0.F, 0.5F, 0.F, 1.F, 0.F, 0.5F, 0.F}).view({4, 2})));
  for (const ChannelScale& scale : {z, range}) {
    EXPECT_TRUE(at::allclose(scale.inverse(scale.transform(table)), table, 1e-6, 0));
  }
}

TEST(ChannelScale, WhatWasFittedOnOneTableIsAppliedToAnother) {
  const at::Tensor other = at::tensor({17.F, 8.F}).view({1, 2});
  EXPECT_TRUE(at::equal(ChannelScale::min_max(small_table()).transform(other), at::tensor({2.F, 1.F}).view({1, 2})));
}

TEST(ChannelScale, BytesAndFloatsAgree) {
  const auto images = uneven_bytes({5, 3, 4, 6});
  for (const auto& fit : ways()) {
    for (const int64_t pad_to : {0, 9}) {
      const auto bytes = fit(images, pad_to), floats = fit(images.to(at::kFloat), pad_to);
      EXPECT_TRUE(at::allclose(bytes.transform(images), floats.transform(images.to(at::kFloat)), 1e-6, 1e-6));
      EXPECT_TRUE(at::equal(bytes.inverse(bytes.transform(images)).round().to(at::kByte), images));
    }
  }
}

TEST(ChannelScale, MinMaxCountsTheZerosOfThePadding) {
  const auto images = uneven_bytes({4, 2, 5, 6}).add(10);
  const auto stored = ChannelScale::min_max(images), padded = ChannelScale::min_max(images, 8);
  for (int64_t c = 0; c < 2; ++c) {
    const double least = images.select(1, c).min().item<double>(), most = images.select(1, c).max().item<double>();
    EXPECT_EQ(stored.offset[c], least);
    EXPECT_EQ(stored.unit[c], most - least);
    EXPECT_EQ(padded.offset[c], 0);
    EXPECT_EQ(padded.unit[c], most);
  }
}

TEST(ChannelScale, RefusesOtherChannelsAndShapes) {
  EXPECT_THROW(ChannelScale::z_score(small_table()).transform(at::zeros({4, 3})), std::invalid_argument);
  EXPECT_THROW(ChannelScale::min_max(at::zeros({4})), std::invalid_argument);
  EXPECT_THROW(ChannelScale::min_max(at::zeros({0, 2})), std::invalid_argument);
}

}  // namespace
}  // namespace bnlab
