// The operator of moments against definitions in double, and its merging against all data at once.
#include "bnlab/ops/channel_moments.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "bnlab/kernels/moments.h"
#include "bnlab/ops/library.h"
#include "tests/ops/differences.h"

namespace bnlab::ops {
namespace {

using testing::HasSubstr;

TEST(ChannelMomentsOperator, AgreesWithTheDefinitionInEveryTypeAndLayout) {
  for (const auto type : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf}) {
    for (const bool channels_last : {false, true}) {
      at::Tensor x = at::randn({7, 5, 9, 3}, at::kDouble).mul(3).add(40).to(type);
      if (channels_last) x = x.contiguous(at::MemoryFormat::ChannelsLast);
      const auto [mean, m2] = dispatched::channel_moments.call(x);
      const at::Tensor wide = x.to(at::kDouble), expected = wide.mean({0, 2, 3});
      const at::Tensor squares = (wide - expected.reshape({1, 5, 1, 1})).square().sum({0, 2, 3});
      EXPECT_TRUE(at::allclose(mean, expected, 1e-7, 0)) << type << channels_last;
      EXPECT_TRUE(at::allclose(m2, squares, 1e-5, 0)) << type << channels_last;
      EXPECT_EQ(mean.scalar_type(), at::kDouble);
    }
  }
}

TEST(ChannelMomentsOperator, ConstantChannelsAndEmptyBatchesAreExact) {
  const auto [mean, m2] = native::channel_moments(at::full({3, 2, 5}, 0.1, at::kFloat));
  EXPECT_TRUE(at::equal(mean, at::full({2}, 0.1f, at::kDouble)));
  EXPECT_TRUE(at::equal(m2, at::zeros({2}, at::kDouble)));
  const auto [none, no_squares] = native::channel_moments(at::zeros({0, 2, 5}));
  EXPECT_TRUE(at::equal(none, at::zeros({2}, at::kDouble)));
  EXPECT_TRUE(at::equal(no_squares, at::zeros({2}, at::kDouble)));
}

TEST(ChannelMomentsOperator, ANaNStaysInItsChannel) {
  at::Tensor x = at::ones({4, 3});
  x[2][1] = std::numeric_limits<float>::quiet_NaN();
  const auto [mean, m2] = native::channel_moments(x);
  EXPECT_TRUE(std::isnan(mean[1].item<double>()) && std::isnan(m2[1].item<double>()));
  EXPECT_EQ(mean[0].item<double>(), 1);
  EXPECT_EQ(m2[2].item<double>(), 0);
}

TEST(ChannelMomentsOperator, RefusesWhatIsNoBatchOrHasADerivative) {
  const auto message = [](const at::Tensor& x) -> std::string {
    try {
      (void)dispatched::channel_moments.call(x);
    } catch (const c10::Error& error) {
      return error.what_without_backtrace();
    }
    return "no error";
  };
  EXPECT_THAT(message(at::ones({3})), HasSubstr("bnlab::channel_moments: expected x of rank 2 to 5"));
  EXPECT_THAT(message(at::ones({3, 2}, at::kLong)), HasSubstr("got Long"));
  EXPECT_THAT(message(at::ones({3, 2}).requires_grad_()), HasSubstr("bnlab::channel_moments"));
  EXPECT_EQ(message(at::ones({3, 2})), "no error");
}

TEST(ChannelMomentsOperator, MetaTensorsGiveSizesAlone) {
  const auto [mean, m2] = dispatched::channel_moments.call(at::empty({4, 3, 2}, at::TensorOptions().device(at::kMeta)));
  EXPECT_TRUE(mean.is_meta() && m2.is_meta());
  EXPECT_EQ(mean.sizes(), at::IntArrayRef({3}));
  EXPECT_EQ(m2.scalar_type(), at::kDouble);
}

}  // namespace
}  // namespace bnlab::ops
