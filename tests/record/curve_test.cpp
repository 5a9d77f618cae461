#include "bnlab/record/curve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace bnlab {
namespace {

using ::testing::ElementsAre;

Series counting(int64_t n) {
  Series series;
  for (int64_t i = 0; i < n; ++i) {
    series.steps.push_back(10 * i);
    series.values.push_back(static_cast<double>(i));
  }
  return series;
}

TEST(Curve, FewPointsStayAsTheyAre) {
  const Curve curve = thinned(counting(3), 3);
  EXPECT_THAT(curve.steps, ElementsAre(0, 10, 20));
  EXPECT_THAT(curve.values, ElementsAre(0, 1, 2));
  EXPECT_EQ(curve.each, 1u);
}

TEST(Curve, ManyBecomeTheMeansOfSuccessiveOnes) {
  const Curve curve = thinned(counting(8), 3);
  EXPECT_EQ(curve.each, 3u);
  EXPECT_EQ(curve.of, 8u);
  EXPECT_THAT(curve.steps, ElementsAre(20, 50, 70));
  EXPECT_THAT(curve.values, ElementsAre(1, 4, 6.5)) << "the last stands for two";
}

TEST(Curve, NeverHasMorePointsThanAskedFor) {
  for (int64_t n = 0; n < 40; ++n) {
    for (size_t most = 1; most < 12; ++most) {
      const Curve curve = thinned(counting(n), most);
      EXPECT_LE(curve.steps.size(), most);
      EXPECT_EQ(curve.steps.empty(), n == 0);
      if (n > 0) {
        EXPECT_EQ(curve.steps.back(), 10 * (n - 1));
      }
    }
  }
}

TEST(Curve, IsWrittenWithSixDigitsAndNullWhereItIsNotFinite) {
  EXPECT_EQ(to_json(thinned({{1, 2, 3}, {1.0 / 3, INFINITY, NAN}}, 5)),
            Json::parse(R"({"steps": [1, 2, 3], "values": [0.333333, null, null], "of": 3, "each": 1})"));
}

}  // namespace
}  // namespace bnlab
