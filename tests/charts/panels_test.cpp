#include "bnlab/charts/panels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bnlab/charts/band.h"
#include "bnlab/charts/heat_map.h"
#include "bnlab/charts/ridges.h"
#include "tests/charts/chart_parts.h"

namespace bnlab {
namespace {

using ::testing::ElementsAre;
using testing::unit_with;

Json chart_of(const ArmStyle& style, double mean = 2) {
  return band_chart({{style.arm, 1, mean, 1, 3}, {style.arm, 2, 2, 1, 3}}, {style}, "step", "loss");
}

TEST(Panels, StandInTheirOrderWithTheirTitles) {
  const Json chart = panels({{"one", chart_of({"a", colors::kBlue})}, {"two", chart_of({"b", colors::kRed})}}, 2);
  EXPECT_EQ(chart["columns"], 2);
  ASSERT_EQ(chart["concat"].size(), 2u);
  EXPECT_EQ(chart["concat"][0]["title"], "one");
  EXPECT_FALSE(chart["concat"][0].contains("$schema") || chart["concat"][0].contains("usermeta"));
  EXPECT_TRUE(chart.contains("$schema"));
  EXPECT_EQ(chart["usermeta"]["dark"].size(), 2u);
}

TEST(Panels, ShareALegendOfAllTheirArms) {
  const Json chart =
      panels({{"one", chart_of({"a", colors::kBlue})}, {"two", chart_of({"b", colors::kRed, {2, 3}})}}, 2);
  EXPECT_FALSE(chart.contains("resolve"));
  for (const Json& panel : chart["concat"]) {
    const Json line = unit_with(panel, "line")["encoding"];
    EXPECT_EQ(line["color"]["scale"], (Json{{"domain", {"a", "b"}}, {"range", {colors::kBlue, colors::kRed}}}));
    EXPECT_EQ(line["strokeDash"]["scale"]["range"], Json::parse("[[1, 0], [2, 3]]"));
  }
}

TEST(Panels, WhoseArmsLookDifferentHaveTheirOwnLegends) {
  const Json chart = panels({{"one", chart_of({"a", colors::kBlue})}, {"two", chart_of({"a", colors::kRed})}}, 2);
  EXPECT_EQ(chart["resolve"]["scale"]["color"], "independent");
  EXPECT_EQ(unit_with(chart["concat"][1], "line")["encoding"]["color"]["scale"]["range"], Json::array({colors::kRed}));
}

// Two scales of colours that the browser would have to unite: it warns, and shows neither.
TEST(Panels, MapsShareALegendOnlyOnTheSameScaleOfColors) {
  const auto map = [](double most) {
    return heat_map_chart({{"r", "c", 0}, {"r", "d", most}}, "row", "column", "value");
  };
  EXPECT_FALSE(panels({{"one", map(1)}, {"two", map(1)}}, 2).contains("resolve"));
  EXPECT_EQ(panels({{"one", map(1)}, {"two", map(2)}}, 2)["resolve"]["scale"]["color"], "independent");
}

TEST(Panels, SayWhatEachLeavesOut) {
  const Json chart = panels({{"one", chart_of({"a", colors::kBlue})}, {"two", chart_of({"a", colors::kBlue}, NAN)}}, 1);
  EXPECT_THAT(notes_of(chart), ElementsAre("two: 1 value is not finite and is left out."));
}

TEST(Panels, WithoutChartsTheySaySo) {
  EXPECT_TRUE(testing::says_no_data(panels({}, 2)));
}

TEST(RidgeChart, HasAPanelEachWithItsRowsInOrder) {
  const Json chart = ridge_chart({{"p", 20, {1, 2, 3}}, {"p", 10, {0, 1, 1, 5}}}, {"p", "q"}, 2, "activation", "step");
  ASSERT_EQ(chart["concat"].size(), 2u);
  const Json& layers = chart["concat"][0]["layer"];
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[0]["data"]["values"][0]["base"], 10);
  EXPECT_EQ(layers[0]["encoding"]["x"]["title"], "activation");
  EXPECT_EQ(layers[0]["encoding"]["y"]["title"], "step");
  EXPECT_NE(layers[0]["mark"]["color"], layers[1]["mark"]["color"]);
  EXPECT_TRUE(testing::says_no_data(chart["concat"][1]));
}

TEST(RidgeChart, ADensityHoldsTheWholeSample) {
  std::vector<double> sample;
  for (int i = 0; i < 600; ++i) sample.push_back(i);
  const Json chart = ridge_chart({{"p", 0, sample}, {"p", 1, sample}}, {"p"}, 1, "x", "row");
  double area = 0;
  for (const Json& v : chart["concat"][0]["layer"][0]["data"]["values"])
    area += v["base"].get<double>() - v["top"].get<double>();
  // The sample is level, so every bin has the median peak's height: 2.2 rows. 1 % lies outside of the range.
  EXPECT_NEAR(area / 60, 2.2, 0.05);
}

TEST(RidgeChart, LaterRowsStandOutMoreOnBothPages) {
  std::vector<Ridge> ridges;
  for (int row = 0; row < 6; ++row) ridges.push_back({"p", static_cast<double>(row), {1, 2, 3}});
  const Json chart = ridge_chart(ridges, {"p"}, 1, "x", "row");
  const std::string dark_page = on_dark(colors::kPaper);
  double light = 1, dark = 1;
  for (const Json& layer : chart["concat"][0]["layer"]) {
    const std::string color = layer["mark"]["color"], other = chart["usermeta"]["dark"].at(color);
    EXPECT_GT(contrast(color, colors::kPaper), light);
    EXPECT_GT(contrast(other, dark_page), dark);
    light = contrast(color, colors::kPaper);
    dark = contrast(other, dark_page);
  }
}

TEST(RidgeChart, WhatIsNotFiniteIsLeftOutAndCounted) {
  const Json chart =
      ridge_chart({{"p", 0, {1, 2, INFINITY, NAN}}, {"p", NAN, {1}}, {"p", 1, {}}}, {"p"}, 1, "x", "row");
  EXPECT_EQ(chart["concat"][0]["layer"].size(), 1u);
  EXPECT_FALSE(testing::has_number_that_is_none(chart));
  EXPECT_THAT(notes_of(chart), ElementsAre("3 values are not finite and are left out."));
}

}  // namespace
}  // namespace bnlab
