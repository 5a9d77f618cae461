#include "bnlab/charts/histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/charts/chart_parts.h"

namespace bnlab {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::numbers;
using testing::unit_with;

const std::vector<ArmStyle> kStyles = {{"a", colors::kBlue}, {"b", colors::kRed}};

TEST(HistogramChart, CountsEachValueOnceAtItsLowerEdge) {
  const Json chart = histogram_chart({{"", "a", {0, 0.5, 1, 1, 3.999, 4}}}, kStyles, "activation", {.bins = 4});
  const Json& values = chart["data"]["values"];
  EXPECT_THAT(numbers(values, "x"), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(numbers(values, "count"), ElementsAre(2, 2, 0, 2, 2));  // the last step only closes the outline
  EXPECT_THAT(notes_of(chart), IsEmpty());
}

TEST(HistogramChart, HasTitledAxesOverTheRangeOfItsBins) {
  const Json chart = histogram_chart({{"", "a", {1, 100}}}, kStyles, "size", {.log_x = true, .log_counts = true});
  const Json encoding = unit_with(chart, "line")["encoding"];
  EXPECT_EQ(encoding["x"]["title"], "size");
  EXPECT_EQ(encoding["x"]["scale"]["type"], "log");
  EXPECT_NEAR(encoding["x"]["scale"]["domain"][1].get<double>(), 100, 1e-9);
  EXPECT_EQ(encoding["y"]["title"], "number of values");
  EXPECT_EQ(encoding["y"]["scale"]["type"], "log");
  EXPECT_EQ(encoding["color"]["scale"]["range"], (Json{colors::kBlue, colors::kRed}));
}

TEST(HistogramChart, BinsOnALogarithmicAxisHaveEqualRatios) {
  const Json chart = histogram_chart({{"", "a", {0.1, 5, 1000}}}, kStyles, "size", {.bins = 4, .log_x = true});
  const auto edges = numbers(chart["data"]["values"], "x");
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(edges[i + 1] / edges[i], 10, 1e-9);
  EXPECT_THAT(numbers(chart["data"]["values"], "count"), ElementsAre(1, 1, 0, 1, 1));
}

TEST(HistogramChart, ArmsOfAPanelShareItsBinsAndPanelsDoNot) {
  const Json chart = histogram_chart({{"one", "a", {0, 1}}, {"one", "b", {3, 4}}, {"two", "a", {10, 20}}}, kStyles, "x",
                                     {.bins = 2, .columns = 3});
  EXPECT_EQ(chart["columns"], 3);
  ASSERT_EQ(chart["concat"].size(), 2u);
  EXPECT_EQ(chart["concat"][0]["title"], "one");
  EXPECT_THAT(numbers(chart["concat"][0]["data"]["values"], "x"), ElementsAre(0, 2, 4, 0, 2, 4));
  EXPECT_THAT(numbers(chart["concat"][1]["data"]["values"], "x"), ElementsAre(10, 15, 20));
}

TEST(HistogramChart, SharesAreOfTheArmsOwnValues) {
  const Json chart =
      histogram_chart({{"", "a", {0, 1}}, {"", "b", {0, 0, 0, 1}}}, kStyles, "x", {.bins = 2, .shares = true});
  EXPECT_THAT(numbers(chart["data"]["values"], "height"), ElementsAre(50, 50, 50, 75, 25, 25));
  EXPECT_EQ(unit_with(chart, "area")["encoding"]["y"]["title"], "share of the values (%)");
}

TEST(HistogramChart, OnLogarithmicCountsAnEmptyBinStandsAtTheAxis) {
  const Json chart = histogram_chart({{"", "a", {0, 0, 3}}}, kStyles, "x", {.bins = 3, .log_counts = true});
  EXPECT_THAT(numbers(chart["data"]["values"], "height"), ElementsAre(2, 0.5, 1, 1));
  EXPECT_EQ(unit_with(chart, "line")["encoding"]["y"]["scale"]["domainMin"], 0.5);
}

TEST(HistogramChart, WhatCannotBeDrawnIsCounted) {
  const Json chart = histogram_chart({{"", "a", {NAN, INFINITY, -1, 0, 2, 5, 50}}}, kStyles, "x",
                                     {.bins = 2, .log_x = true, .range = {{1, 10}}});
  EXPECT_THAT(numbers(chart["data"]["values"], "count"), ElementsAre(1, 1, 1));
  EXPECT_THAT(notes_of(chart), ElementsAre("2 values are not finite and are left out.",
                                           "2 values of 0 or below are left out: the axis is logarithmic.",
                                           "1 value lies outside of the range that is drawn."));
  EXPECT_FALSE(testing::has_number_that_is_none(chart));
}

TEST(HistogramChart, EqualValuesHaveABin) {
  for (const double value : {0.0, 5.0, -1e20}) {
    const Json chart = histogram_chart({{"", "a", {value, value}}}, kStyles, "x", {.bins = 3});
    EXPECT_THAT(numbers(chart["data"]["values"], "count"), ElementsAre(0, 2, 0, 0)) << value;
  }
}

TEST(HistogramChart, WithoutDataItSaysSo) {
  EXPECT_TRUE(testing::says_no_data(histogram_chart({}, kStyles, "x")));
  EXPECT_TRUE(testing::says_no_data(histogram_chart({{"", "a", {}}}, kStyles, "x")));
  const Json panels = histogram_chart({{"one", "a", {NAN}}, {"two", "a", {1}}}, kStyles, "x");
  EXPECT_TRUE(testing::says_no_data(panels["concat"][0]));
  EXPECT_THAT(notes_of(panels), ElementsAre("one: 1 value is not finite and is left out."));
}

TEST(HistogramChart, ImpossibleOptionsAreRefused) {
  const std::vector<HistogramSample> sample = {{"", "a", {1}}};
  EXPECT_THROW(histogram_chart(sample, kStyles, "x", {.bins = 0}), std::invalid_argument);
  EXPECT_THROW(histogram_chart(sample, kStyles, "x", {.range = {{2, 1}}}), std::invalid_argument);
  EXPECT_THROW(histogram_chart(sample, kStyles, "x", {.range = {{0, NAN}}}), std::invalid_argument);
  EXPECT_THROW(histogram_chart(sample, kStyles, "x", {.log_x = true, .range = {{0, 1}}}), std::invalid_argument);
}

}  // namespace
}  // namespace bnlab
