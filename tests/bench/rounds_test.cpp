#include "bnlab/bench/rounds.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

namespace bnlab::bench {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(Median, IsTheMiddleOrTheMeanOfTheTwoMiddleOnes) {
  EXPECT_EQ(median(std::vector<double>{3, 1, 2}), 2);
  EXPECT_EQ(median(std::vector<double>{4, 1, 3, 2}), 2.5);
  EXPECT_TRUE(std::isnan(median(std::vector<double>{})));
  EXPECT_TRUE(std::isnan(median(std::vector<double>{1, kNaN, 3})));
}

// The sign test's tables: n = 5 range 93.75 %, 7 range 98.44 %, 8 range 99.22 %, 9 second to eighth 96.09 %, 20 sixth
// to 15th 95.86 %.
TEST(MedianInterval, IsTheSignTests) {
  const auto interval_of = [](int n) {
    std::vector<double> values;
    for (int i = n; i > 0; --i) values.push_back(i);
    return median_interval(values);
  };
  EXPECT_EQ(interval_of(1), (Interval{1, 1, 1, 0}));
  EXPECT_EQ(interval_of(5), (Interval{3, 1, 5, 0.9375}));
  EXPECT_EQ(interval_of(7), (Interval{4, 1, 7, 0.984375}));
  EXPECT_EQ(interval_of(8), (Interval{4.5, 1, 8, 0.9921875}));
  EXPECT_EQ(interval_of(9), (Interval{5, 2, 8, 0.9609375}));
  const Interval twenty = interval_of(20);
  EXPECT_EQ(twenty.low, 6);
  EXPECT_EQ(twenty.high, 15);
  EXPECT_NEAR(twenty.coverage, 0.9586, 1e-4);
}

TEST(MedianInterval, NaNIsNotHidden) {
  const Interval interval = median_interval(std::vector<double>{1, kNaN, 2});
  EXPECT_TRUE(std::isnan(interval.median) && std::isnan(interval.low) && std::isnan(interval.high));
  EXPECT_THROW((void)median_interval(std::vector<double>{}), std::invalid_argument);
}

TEST(PairedRatio, PairsRoundsSoThatWhatSlowsBothCancels) {
  const std::vector<double> ours = {1, 10, 2, 4, 1, 8, 1}, peer = {2, 20, 4, 8, 2, 16, 2};
  EXPECT_EQ(paired_ratio(peer, ours), (Interval{2, 2, 2, 0.984375}));
  EXPECT_THROW((void)paired_ratio(peer, std::vector<double>{1}), std::invalid_argument);
}

TEST(GeometricMean, OfRatios) {
  EXPECT_NEAR(geometric_mean(std::vector<double>{2, 8}), 4, 1e-12);
  EXPECT_NEAR(geometric_mean(std::vector<double>{0.5, 2}), 1, 1e-12);
  EXPECT_TRUE(std::isnan(geometric_mean(std::vector<double>{})));
}

}  // namespace
}  // namespace bnlab::bench
