#include "bnlab/charts/strip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/charts/chart_parts.h"

namespace bnlab {
namespace {

using ::testing::ElementsAre;
using testing::numbers;
using testing::unit_with;

const std::vector<ArmStyle> kStyles = {{"a", colors::kBlue}, {"b", colors::kRed}};

std::vector<SeedValue> three(const std::string& category, const std::string& arm, std::vector<double> values) {
  std::vector<SeedValue> all;
  for (size_t i = 0; i < values.size(); ++i) all.push_back({category, arm, static_cast<int64_t>(i) + 1, values[i]});
  return all;
}

Json summary_of(const Json& chart) {
  return unit_with(chart, "tick")["data"]["values"];
}

TEST(StripChart, HasAPointASeedAndTheMeanWithItsInterval) {
  const Json chart = strip_chart(three("", "b", {1, 2, 3}), kStyles, "", "accuracy (%)");
  EXPECT_EQ(chart["data"]["values"][2], (Json{{"category", ""}, {"arm", "b"}, {"seed", 3}, {"value", 3}}));
  const Json mean = summary_of(chart)[0];
  EXPECT_DOUBLE_EQ(mean["mean"].get<double>(), 2);
  // 2 ± t * s / sqrt(3), with t = 4.30265 for 2 degrees of freedom and s = 1
  EXPECT_NEAR(mean["low"].get<double>(), 2 - 4.30265 / std::sqrt(3), 1e-4);
  EXPECT_NEAR(mean["high"].get<double>(), 2 + 4.30265 / std::sqrt(3), 1e-4);
}

TEST(StripChart, WithoutCategoriesTheRowsNameTheArms) {
  const Json encoding = unit_with(strip_chart(three("", "b", {1, 2}), kStyles, "rate", "y"), "point")["encoding"];
  EXPECT_EQ(encoding["y"]["field"], "arm");
  EXPECT_TRUE(encoding["color"]["legend"].is_null());
  EXPECT_EQ(encoding["x"]["title"], "y");
  EXPECT_EQ(encoding["color"]["scale"]["range"][1], colors::kRed);
}

TEST(StripChart, WithCategoriesEachHasTheArms) {
  auto values = three("0.5", "a", {1, 2});
  for (const auto& v : three("0.1", "b", {3, 4})) values.push_back(v);
  const Json chart = strip_chart(values, kStyles, "rate", "y");
  const Json encoding = unit_with(chart, "point")["encoding"];
  EXPECT_EQ(encoding["y"]["title"], "rate");
  EXPECT_EQ(encoding["y"]["scale"]["domain"], (Json{"0.5", "0.1"}));
  EXPECT_EQ(encoding["yOffset"]["field"], "arm");
  EXPECT_FALSE(encoding["color"]["legend"].is_null());
  EXPECT_THAT(numbers(summary_of(chart), "mean"), ElementsAre(1.5, 3.5));
}

TEST(StripChart, OnALogarithmicAxisTheMeanIsThatOfTheLogarithms) {
  const Json chart = strip_chart(three("", "a", {1, 100}), kStyles, "", "y", {.log = true});
  EXPECT_NEAR(summary_of(chart)[0]["mean"].get<double>(), 10, 1e-12);
  EXPECT_GT(summary_of(chart)[0]["low"].get<double>(), 0);
  EXPECT_EQ(unit_with(chart, "point")["encoding"]["x"]["scale"]["type"], "log");
}

TEST(StripChart, OneSeedHasNoInterval) {
  const Json mean = summary_of(strip_chart(three("", "a", {7}), kStyles, "", "y"))[0];
  EXPECT_EQ(mean["low"], 7);
  EXPECT_EQ(mean["high"], 7);
}

TEST(StripChart, WhatCannotBeDrawnIsCountedAndLeftOutOfTheMean) {
  const Json chart = strip_chart(three("", "a", {1, NAN, 3, -INFINITY}), kStyles, "", "y");
  EXPECT_EQ(summary_of(chart)[0]["mean"], 2);
  EXPECT_EQ(summary_of(chart)[0]["seeds"], 2);
  EXPECT_THAT(notes_of(chart), ElementsAre("2 values are not finite and are left out."));
  EXPECT_FALSE(testing::has_number_that_is_none(chart));
}

TEST(StripChart, WithoutDataItSaysSo) {
  EXPECT_TRUE(testing::says_no_data(strip_chart({}, kStyles, "", "y")));
}

}  // namespace
}  // namespace bnlab
