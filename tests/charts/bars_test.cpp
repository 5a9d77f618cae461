#include "bnlab/charts/bars.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/charts/chart_parts.h"

namespace bnlab {
namespace {

using ::testing::ElementsAre;
using testing::numbers;
using testing::unit_with;

const std::vector<ArmStyle> kStyles = {{"a", colors::kBlue}, {"b", colors::kRed}};
const std::vector<Bar> kBars = {{"0.5", "b", 3, 2, 4}, {"0.1", "a", 5, 4, 7}};

TEST(BarChart, HasTitledAxesInTheOrderOfTheData) {
  const Json chart = bar_chart(kBars, kStyles, "learning rate", "accuracy (%)");
  const Json encoding = unit_with(chart, "bar")["encoding"];
  EXPECT_EQ(encoding["x"]["title"], "learning rate");
  EXPECT_EQ(encoding["x"]["scale"]["domain"], (Json{"0.5", "0.1"}));
  EXPECT_EQ(encoding["y"]["title"], "accuracy (%)");
  EXPECT_EQ(encoding["y"]["scale"]["type"], "linear");
  EXPECT_EQ(encoding["xOffset"]["scale"]["domain"], (Json{"b", "a"}));
  EXPECT_EQ(encoding["color"]["scale"], (Json{{"domain", {"a", "b"}}, {"range", {colors::kBlue, colors::kRed}}}));
}

TEST(BarChart, DrawsEachValueWithItsInterval) {
  const Json chart = bar_chart(kBars, kStyles, "", "y");
  EXPECT_EQ(chart["data"]["values"][1],
            (Json{{"category", "0.1"}, {"arm", "a"}, {"value", 5}, {"low", 4}, {"high", 7}}));
  const Json interval = unit_with(chart, "rule")["encoding"];
  EXPECT_EQ(interval["y"]["field"], "low");
  EXPECT_EQ(interval["y2"]["field"], "high");
}

TEST(BarChart, LevelBarsExchangeTheAxes) {
  const Json encoding = unit_with(bar_chart(kBars, kStyles, "rate", "y", {.horizontal = true}), "bar")["encoding"];
  EXPECT_EQ(encoding["y"]["field"], "category");
  EXPECT_EQ(encoding["x"]["field"], "value");
  EXPECT_TRUE(encoding.contains("yOffset"));
}

TEST(BarChart, OnALogarithmicAxisItDrawsDotsUnlessBarsHaveABeginning) {
  const Json dots = bar_chart(kBars, kStyles, "", "y", {.log = true});
  EXPECT_TRUE(unit_with(dots, "bar").is_null());
  EXPECT_EQ(unit_with(dots, "point")["encoding"]["y"]["scale"]["type"], "log");
  const Json bars = bar_chart(kBars, kStyles, "", "y", {.log = true, .from = 1});
  EXPECT_EQ(unit_with(bars, "bar")["encoding"]["y2"]["datum"], 1);
  EXPECT_THROW(bar_chart(kBars, kStyles, "", "y", {.log = true, .from = 0}), std::invalid_argument);
}

TEST(BarChart, AReferenceIsADashedLineWithItsWords) {
  const Json chart = bar_chart(kBars, kStyles, "", "y", {.reference = 10, .reference_label = "chance"});
  EXPECT_EQ(unit_with(chart, "text")["mark"]["text"], "chance");
  EXPECT_EQ(unit_with(chart, "text")["encoding"]["y"]["datum"], 10);
}

TEST(BarChart, WhatCannotBeDrawnIsCounted) {
  const Json chart =
      bar_chart({{"x", "a", NAN, 0, 1}, {"x", "b", 0, 0, 1}, {"y", "a", 4, NAN, 5}, {"y", "b", 2, -1, 3}}, kStyles, "",
                "y", {.log = true});
  EXPECT_THAT(numbers(chart["data"]["values"], "value"), ElementsAre(4, 2));
  EXPECT_THAT(numbers(chart["data"]["values"], "low"), ElementsAre(4, 2));
  EXPECT_EQ(notes_of(chart).size(), 4u);
  EXPECT_FALSE(testing::has_number_that_is_none(chart));
}

TEST(BarChart, WithoutDataItSaysSo) {
  EXPECT_TRUE(testing::says_no_data(bar_chart({}, kStyles, "x", "y")));
}

}  // namespace
}  // namespace bnlab
