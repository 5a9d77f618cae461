#include "bnlab/bench/batch_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

namespace bnlab::bench {
namespace {

using ::testing::HasSubstr;

NamedShape small_shape() {
  return {"test", "batch", 6, 5, 7, 3};
}

TEST(MakeBatch, GivesTheSameChannelsOfTheOrderOfOne) {
  const BatchData<float> batch = make_batch<float>(small_shape()), again = make_batch<float>(small_shape());
  ASSERT_EQ(batch.x.size(), 6u * 5 * 21);
  EXPECT_TRUE(std::equal(batch.x.begin(), batch.x.end(), again.x.begin()));
  EXPECT_TRUE(std::equal(batch.dy.begin(), batch.dy.end(), again.dy.begin()));
  for (std::size_t c = 0; c < 5; ++c) {
    double sum = 0, squares = 0;
    for (std::size_t n = 0; n < 6; ++n) {
      for (std::size_t s = 0; s < 21; ++s) {
        const double x = batch.x[(n * 5 + c) * 21 + s] - batch.running_mean[c];
        sum += x;
        squares += x * x;
      }
    }
    EXPECT_LT(std::abs(sum / 126), 4 * std::sqrt(batch.running_var[c] / 126));
    EXPECT_NEAR(squares / 126 / batch.running_var[c], 1, 0.5);
  }
}

/// The gradients that pass a ReLU cannot depend on how its argument was rounded.
template <class E>
void expect_no_gradient_where_a_relu_is_undecided(double margin) {
  const NamedShape shape{"test", "batch", 64, 3, 40, 40};
  const BatchData<E> batch = make_batch<E>(shape);
  std::int64_t undecided = 0;
  for (std::int64_t c = 0; c < 3; ++c) {
    const auto k = static_cast<std::size_t>(c);
    double sum = 0, squares = 0;
    const auto for_channel = [&](const auto& f) {
      for (std::int64_t n = 0; n < 64; ++n) {
        for (std::int64_t s = 0; s < 1600; ++s) f(static_cast<std::size_t>((n * 3 + c) * 1600 + s));
      }
    };
    const auto value = [](E element) { return static_cast<double>(element); };
    for_channel([&](std::size_t i) { sum += value(batch.x[i]); });
    const double mean = sum / (64 * 1600);
    for_channel([&](std::size_t i) { squares += std::pow(value(batch.x[i]) - mean, 2); });
    const double rstd = 1 / std::sqrt(squares / (64 * 1600) + kEps);
    for_channel([&](std::size_t i) {
      const double z = batch.gamma[k] * (value(batch.x[i]) - mean) * rstd + batch.beta[k];
      if (std::abs(z) >= margin && std::abs(z + value(batch.addend[i])) >= margin) return;
      ++undecided;
      EXPECT_EQ(value(batch.dy[i]), 0) << i;
    });
  }
  EXPECT_GT(undecided, 0) << "the batch is too small to test anything";
}

// The margins: a few times as much as z, of the order of 1, is off by where it is rounded in between.
TEST(MakeBatch, HasNoGradientWhereAReluIsUndecided) {
  expect_no_gradient_where_a_relu_is_undecided<float>(5e-5);
  expect_no_gradient_where_a_relu_is_undecided<kernels::Float16>(5 * 0x1p-11);
  expect_no_gradient_where_a_relu_is_undecided<kernels::BFloat16>(5 * 0x1p-8);
}

TEST(RequireAgreement, AcceptsRoundingAndNothingElse) {
  const std::vector<double> expected = {1, -200, 0.001, 0};
  const auto require = [&](std::size_t i, double value) {
    std::vector<double> got = expected;
    got[i] = value;
    require_agreement("a peer", got.data(), expected.data(), 4, 1e-3);
  };
  EXPECT_NO_THROW(require(0, 1.0009));
  EXPECT_NO_THROW(require(1, -200.19));
  EXPECT_NO_THROW(require(3, 0.0009)) << "small values are judged by the scale of the others";
  EXPECT_THROW(require(0, 1.002), std::runtime_error);
  EXPECT_THROW(require(1, -200.3), std::runtime_error);
  EXPECT_THROW(require(2, std::numeric_limits<double>::infinity()), std::runtime_error);
  try {
    require(3, std::numeric_limits<double>::quiet_NaN());
    ADD_FAILURE() << "a NaN agreed";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("a peer: element 3 of 4 is nan, not 0"));
  }
}

TEST(ToChannelsLast, Transposes) {
  const std::vector<float> from = {0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15};  // (2,2,3)
  std::vector<float> to(from.size());
  to_channels_last(from.data(), to.data(), 2, 2, 3);
  EXPECT_EQ(to, (std::vector<float>{0, 3, 1, 4, 2, 5, 10, 13, 11, 14, 12, 15}));
}

}  // namespace
}  // namespace bnlab::bench
