#include "bnlab/kernels/moments.h"

#include <gtest/gtest.h>

#include "tests/kernels/batch_case.h"

namespace bnlab::kernels {
namespace {

TEST(Moments, MergeOfPartsIsTheWhole) {
  const std::vector<double> values = {1, 5, -2, 8, 8, 3, 0};
  const auto moments_of = [&](std::size_t begin, std::size_t end) {
    Moments all;
    for (std::size_t i = begin; i < end; ++i) all = merge(all, {1, values[i], 0});
    return all;
  };
  const Moments whole = moments_of(0, 7);
  EXPECT_EQ(whole.count, 7);
  EXPECT_NEAR(whole.mean, 23.0 / 7, 1e-14);
  EXPECT_NEAR(whole.m2, 167 - 23.0 * 23 / 7, 1e-12);
  for (std::size_t split = 0; split <= 7; ++split) {
    const Moments joined = merge(moments_of(0, split), moments_of(split, 7));
    EXPECT_EQ(joined.count, 7);
    EXPECT_NEAR(joined.mean, whole.mean, 1e-14);
    EXPECT_NEAR(joined.m2, whole.m2, 1e-12);
  }
}

TEST(Moments, OfNothingAreNeutral) {
  const Moments some{3, 2.5, 1.25};
  for (const Moments& joined : {merge({}, some), merge(some, {})}) {
    EXPECT_EQ(joined.count, 3);
    EXPECT_EQ(joined.mean, 2.5);
    EXPECT_EQ(joined.m2, 1.25);
  }
  EXPECT_EQ(merge({}, {}).count, 0);

  SerialTaskRunner runner;
  Moments out[2] = {{9, 9, 9}, {9, 9, 9}};
  ASSERT_EQ(channel_moments<float>({0, 2, 4, Layout::kChannelsFirst}, nullptr, out, runner), Status::kOk);
  EXPECT_EQ(out[1].count, 0);
  EXPECT_EQ(out[1].mean, 0);
  EXPECT_EQ(out[1].m2, 0);
}

// Small integers, whose sums are exact in every order: the tolerance is that of the merging in double, and no lost or
// doubled element fits into it.
TEST(Moments, OfIntegersAreExactToTheMerging) {
  SerialTaskRunner runner;
  for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
    for (const Shape& shape : {Shape{64, 3, 256, layout}, Shape{128, 65, 4, layout}, Shape{1024, 16, 64, layout}}) {
      SCOPED_TRACE(name_of(shape));
      BatchCase<float> t(shape);
      // Half of each channel's elements are c - 1, the others c + 1: mean c, m2 = count.
      for (std::int64_t c = 0; c < shape.c; ++c) {
        std::int64_t k = 0;
        oracle::for_channel(t.batch(), c,
                            [&](std::size_t i) { t.x[i] = static_cast<float>(c + (k++ % 2 == 0 ? -1 : 1)); });
      }
      std::vector<Moments> out(static_cast<std::size_t>(shape.c));
      ASSERT_EQ(channel_moments(shape, t.x.data(), out.data(), runner), Status::kOk);
      for (std::size_t c = 0; c < out.size(); ++c) {
        ASSERT_EQ(out[c].count, shape.count());
        ASSERT_NEAR(out[c].mean, static_cast<double>(c), 1e-13);
        ASSERT_NEAR(out[c].m2, static_cast<double>(shape.count()), 1e-9);
      }
    }
  }
}

}  // namespace
}  // namespace bnlab::kernels
