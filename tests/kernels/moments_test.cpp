#include "bnlab/kernels/moments.h"

#include <gtest/gtest.h>

#include "tests/kernels/expectations.h"
#include "tests/kernels/shapes.h"
#include "tests/kernels/thread_runner.h"

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

template <class E>
class ChannelMoments : public testing::Test {};
TYPED_TEST_SUITE(ChannelMoments, ElementTypes);

// Half of each channel's elements are c - 1, the others c + 1: mean c, m2 = count. Sizes are powers of two, so that no
// merging rounds.
TYPED_TEST(ChannelMoments, OfIntegersAreExact) {
  SerialTaskRunner runner;
  for (const Layout layout : kLayouts) {
    for (const Shape& shape : {Shape{64, 3, 256, layout}, Shape{128, 65, 4, layout}, Shape{1024, 16, 64, layout}}) {
      SCOPED_TRACE(name_of(shape));
      BatchCase<TypeParam> t(shape);
      for (std::int64_t c = 0; c < shape.c; ++c) {
        for (std::int64_t n = 0; n < shape.n; ++n) {
          for (std::int64_t s = 0; s < shape.s; ++s) {
            t.x[t.places().index(n, c, s)] = static_cast<TypeParam>(static_cast<float>(c) + balanced_sign(n, s));
          }
        }
      }
      std::vector<Moments> out(static_cast<std::size_t>(shape.c));
      ASSERT_EQ(channel_moments(shape, t.x.data(), out.data(), runner), Status::kOk);
      for (std::size_t c = 0; c < out.size(); ++c) {
        ASSERT_EQ(out[c].count, shape.count());
        ASSERT_EQ(out[c].mean, static_cast<double>(c));
        ASSERT_EQ(out[c].m2, static_cast<double>(shape.count()));
      }
    }
  }
}

// The largest deviations that float is promised to hold, or elements.
TYPED_TEST(ChannelMoments, OfHugeValuesAreFinite) {
  SerialTaskRunner runner;
  for (const Layout layout : kLayouts) {
    BatchCase<TypeParam> t({8, 2, 8192, layout});
    const double huge = std::min(9e16, kStorage<TypeParam>.beyond / 2);
    for (std::size_t i = 0; i < t.x.size(); ++i) t.x[i] = static_cast<TypeParam>(i % 4 < 2 ? huge : -huge);
    const double value = std::abs(static_cast<double>(t.x[0]));
    Moments out[2];
    ASSERT_EQ(channel_moments(t.shape, t.x.data(), out, runner), Status::kOk);
    for (const Moments& m : out) EXPECT_TRUE(std::abs(m.m2 / (65536 * value * value) - 1) <= 1e-6) << m.m2;
  }
}

TYPED_TEST(ChannelMoments, AreBitwiseTheSameForAnyThreads) {
  for (const Shape& shape : chosen_shapes()) {
    const BatchCase<TypeParam> t(shape);
    SerialTaskRunner alone;
    const auto size = static_cast<std::size_t>(shape.c);
    std::vector<Moments> serial(size), threaded(size);
    ASSERT_EQ(channel_moments(shape, t.x.data(), serial.data(), alone), Status::kOk);
    for (int threads = 1; threads <= 4; ++threads) {
      ThreadRunner pool(threads);
      ASSERT_EQ(channel_moments(shape, t.x.data(), threaded.data(), pool), Status::kOk);
      ASSERT_EQ(std::memcmp(serial.data(), threaded.data(), size * sizeof(Moments)), 0) << name_of(shape);
    }
  }
}

TEST(Moments, OfANegativeSizeAreAnError) {
  SerialTaskRunner runner;
  Moments out[1] = {{9, 9, 9}};
  EXPECT_EQ(channel_moments<float>({4, 1, -1}, nullptr, out, runner), Status::kBadShape);
  EXPECT_EQ(out[0].count, 9);
}

}  // namespace
}  // namespace bnlab::kernels
