#include "bnlab/record/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace bnlab {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;

TEST(Largest, ANanStaysOne) {
  double largest = 0, smallest = 0;
  for (const double value : {1.0, std::nan(""), 2.0, -2.0}) {
    raise_to(largest, value);
    lower_to(smallest, value);
  }
  EXPECT_TRUE(std::isnan(largest));
  EXPECT_TRUE(std::isnan(smallest));
  for (double* value : {&largest, &smallest}) *value = 0;
  for (const double value : {1.0, 3.0, -2.0}) {
    raise_to(largest, value);
    lower_to(smallest, value);
  }
  EXPECT_EQ(largest, 3);
  EXPECT_EQ(smallest, -2);
}

TEST(PairedInterval, ClosedForms) {
  // n = 2: t is Cauchy, quantile(0.975) = tan(0.475 π); s/sqrt(2) of {0, 2} is 1.
  const PairedInterval two = paired_interval(std::vector<double>{0, 2});
  EXPECT_NEAR(two.high, 1 + std::tan(0.475 * M_PI), 1e-9);
  // n = 3: quantile(p) = (2p-1) sqrt(2 / (1-(2p-1)²)); {1, 2, 3} has s/sqrt(3) = 1/sqrt(3).
  const PairedInterval three = paired_interval(std::vector<double>{1, 2, 3});
  const double t = 0.95 * std::sqrt(2 / (1 - 0.95 * 0.95));
  EXPECT_NEAR(three.low, 2 - t / std::sqrt(3), 1e-9);
  EXPECT_NEAR(three.high, 2 + t / std::sqrt(3), 1e-9);
}

TEST(PairedInterval, FewOrBadValues) {
  EXPECT_EQ(paired_interval(std::vector<double>{5}).low, -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(paired_interval(std::vector<double>{}).mean));
  const PairedInterval nan = paired_interval(std::vector<double>{1, std::nan(""), 2});
  EXPECT_TRUE(std::isnan(nan.low) && std::isnan(nan.high));
  EXPECT_EQ(test_side(nan, Side::above(0)).supports, 1);
  EXPECT_EQ(test_side(nan, Side::above(0)).opposes, 1);
}

TEST(TestSide, AgreesWithTheIntervalAtItsEdges) {
  const PairedInterval interval = paired_interval(std::vector<double>{1, 2, 4, 5});
  const double inside = 1e-9;
  EXPECT_LT(test_side(interval, Side::above(interval.low - inside)).supports, 0.05);
  EXPECT_GT(test_side(interval, Side::above(interval.low + inside)).supports, 0.05);
  EXPECT_LT(test_side(interval, Side::above(interval.high + inside)).opposes, 0.05);
  EXPECT_LT(test_side(interval, Side::below(interval.high + inside)).supports, 0.05);
  EXPECT_GT(test_side(interval, Side::below(interval.high - inside)).supports, 0.05);
  EXPECT_LT(test_side(interval, Side::within(interval.low - inside, interval.high + inside)).supports, 0.05);
  EXPECT_GT(test_side(interval, Side::within(interval.low + inside, interval.high + inside)).supports, 0.05);
  EXPECT_LT(test_side(interval, Side::within(interval.high + inside, interval.high + 1)).opposes, 0.05);
  EXPECT_GT(test_side(interval, Side::within(interval.high - inside, interval.high + 1)).opposes, 0.05);
}

TEST(TestSide, EqualDifferencesDecideByTheirSign) {
  const PairedInterval same = paired_interval(std::vector<double>{2, 2, 2});
  EXPECT_EQ(test_side(same, Side::above(0)).supports, 0);
  EXPECT_EQ(test_side(same, Side::above(2)).supports, 1);
  EXPECT_EQ(test_side(same, Side::below(0)).opposes, 0);
}

TEST(Holm, TextbookExample) {
  EXPECT_THAT(holm_adjusted(std::vector<double>{0.01, 0.04, 0.03, 0.005}),
              ElementsAre(DoubleEq(0.03), DoubleEq(0.06), DoubleEq(0.06), DoubleEq(0.02)));
  EXPECT_THAT(holm_adjusted(std::vector<double>{0.9, 0.8}), ElementsAre(1, 1));
  EXPECT_THAT(holm_adjusted(std::vector<double>{}), ElementsAre());
}

// Share of `trials` in which `event` of n fresh standard normal values (plus shift) holds.
template <class Event>
double frequency(int n, int trials, const Event& event) {
  std::mt19937_64 random(20181027);
  std::normal_distribution<double> normal;
  int count = 0;
  for (int trial = 0; trial < trials; ++trial) {
    std::vector<double> values(static_cast<size_t>(n));
    for (double& value : values) value = normal(random);
    count += event(values);
  }
  return static_cast<double>(count) / trials;
}

constexpr int kTrials = 40000;
constexpr double kThreeSigma = 3 * 0.00109;  // of a frequency of 5 % over kTrials

TEST(PairedIntervalSimulation, CoversTheTruthInNinetyFivePercent) {
  for (const int n : {3, 5}) {
    const double covered = frequency(n, kTrials, [](const auto& values) {
      const PairedInterval interval = paired_interval(values);
      return interval.low <= 0 && 0 <= interval.high;
    });
    EXPECT_NEAR(covered, 0.95, kThreeSigma) << n;
  }
}

TEST(TestSideSimulation, FalseSupportOfATrueNullIsTwoAndAHalfPercent) {
  const double supported = frequency(3, kTrials, [](const auto& values) {
    return test_side(paired_interval(values), Side::above(0)).supports < 0.05;
  });
  EXPECT_NEAR(supported, 0.025, kThreeSigma);
}

}  // namespace
}  // namespace bnlab
