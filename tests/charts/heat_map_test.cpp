#include "bnlab/charts/heat_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/charts/chart_parts.h"

namespace bnlab {
namespace {

using ::testing::ElementsAre;
using testing::numbers;
using testing::unit_with;

const std::vector<HeatCell> kCells = {{"layer 2", "0", 1}, {"layer 1", "0", 10}, {"layer 1", "5", 100}};

TEST(HeatMapChart, HasTitledAxesInTheOrderOfTheData) {
  const Json chart = heat_map_chart(kCells, "layer", "step", "gradient norm");
  const Json encoding = unit_with(chart, "rect")["encoding"];
  EXPECT_EQ(encoding["x"]["title"], "step");
  EXPECT_EQ(encoding["y"]["title"], "layer");
  EXPECT_EQ(encoding["y"]["scale"]["domain"], (Json{"layer 2", "layer 1"}));
  EXPECT_EQ(encoding["color"]["legend"]["title"], "gradient norm");
  EXPECT_EQ(chart["data"]["values"][2], (Json{{"row", "layer 1"}, {"column", "5"}, {"value", 100}}));
}

TEST(HeatMapChart, MarksStandOnTheirCells) {
  const Json chart = heat_map_chart(kCells, "layer", "step", "v",
                                    {.log = true, .marks = {{"layer 1", "5", "end"}, {"layer 3", "0", "nowhere"}}});
  const Json words = unit_with(chart, "text"), dot = unit_with(chart, "point");
  EXPECT_EQ(words["data"]["values"], (Json::array({{{"row", "layer 1"}, {"column", "5"}, {"text", "end"}}})));
  EXPECT_EQ(dot["data"], words["data"]);
  EXPECT_EQ(words["encoding"]["x"], unit_with(chart, "rect")["encoding"]["x"]);
  EXPECT_EQ(words["mark"]["color"], "black");  // on the lightest cell
  EXPECT_EQ(chart["layer"].size(), 3u);
}

TEST(HeatMapChart, ColorsRunOverTheValues) {
  const Json linear = unit_with(heat_map_chart(kCells, "", "", "v"), "rect")["encoding"]["color"]["scale"];
  EXPECT_EQ(linear["type"], "linear");
  EXPECT_EQ(linear["domain"], Json::parse("[1.0, 100.0]"));
  const Json log = unit_with(heat_map_chart(kCells, "", "", "v", {.log = true}), "rect")["encoding"]["color"]["scale"];
  EXPECT_EQ(log["type"], "log");
  EXPECT_NEAR(log["domain"][1].get<double>(), 100, 1e-9);
}

TEST(HeatMapChart, DivergingColorsReachEquallyFarToBothSides) {
  const auto domain = [](const HeatMapOptions& options) {
    return unit_with(heat_map_chart(kCells, "", "", "v", options), "rect")["encoding"]["color"]["scale"]["domain"];
  };
  EXPECT_EQ(domain({.middle = 20}), Json::parse("[-60.0, 20.0, 100.0]"));
  const Json log = domain({.log = true, .middle = 1});
  EXPECT_NEAR(log[0].get<double>(), 0.01, 1e-12);
  EXPECT_NEAR(log[2].get<double>(), 100, 1e-9);
  EXPECT_THROW(heat_map_chart(kCells, "", "", "v", {.log = true, .middle = 0}), std::invalid_argument);
}

TEST(HeatMapChart, OnADarkPageTheMiddleOfDivergingColorsIsDark) {
  const Json chart = heat_map_chart(kCells, "", "", "v", {.middle = 20, .numbers = true});
  const Json scale = unit_with(chart, "rect")["encoding"]["color"]["scale"];
  const Json& dark = chart["usermeta"]["dark"];
  const std::string middle = dark.at(scale["range"][1].get<std::string>()), ink = dark.at(colors::kInk);
  EXPECT_GE(contrast(middle, ink), 4.5);
  for (const size_t end : {0, 2}) {
    const std::string color = scale["range"][end];
    EXPECT_GE(contrast(dark.at(color).get<std::string>(), dark.at(colors::kPaper).get<std::string>()), 4);
  }
}

TEST(HeatMapChart, NumbersAreLegibleOnTheirCells) {
  const Json chart = heat_map_chart(kCells, "", "", "v", {.numbers = true});
  EXPECT_EQ(chart["data"]["values"][0]["number"], "1");
  EXPECT_EQ(chart["data"]["values"][0]["ink"], "white");
  EXPECT_EQ(chart["data"]["values"][2]["ink"], "black");
  EXPECT_FALSE(unit_with(chart, "text").is_null());
}

TEST(HeatMapChart, NumbersHaveThreeDigitsAndATrueMinusSign) {
  const Json chart = heat_map_chart({{"a", "0", -1.2345}, {"a", "1", -0.0}}, "", "", "v", {.numbers = true});
  EXPECT_EQ(chart["data"]["values"][0]["number"], "−1.23");
  EXPECT_EQ(chart["data"]["values"][1]["number"], "0");
}

TEST(HeatMapChart, AnEmptyCellKeepsItsRowAndIsCounted) {
  const Json chart = heat_map_chart({{"a", "0", 1}, {"b", "0", NAN}, {"c", "0", -1}}, "", "", "v", {.log = true});
  EXPECT_THAT(numbers(chart["data"]["values"], "value"), ElementsAre(1));
  EXPECT_EQ(unit_with(chart, "rect")["encoding"]["y"]["scale"]["domain"], Json::parse(R"(["a", "b", "c"])"));
  EXPECT_EQ(notes_of(chart).size(), 2u);
}

TEST(HeatMapChart, OneValueHasARange) {
  const Json domain =
      unit_with(heat_map_chart({{"a", "0", 3}}, "", "", "v"), "rect")["encoding"]["color"]["scale"]["domain"];
  EXPECT_LT(domain[0].get<double>(), domain[1].get<double>());
}

TEST(HeatMapChart, WithoutDataItSaysSo) {
  EXPECT_TRUE(testing::says_no_data(heat_map_chart({}, "", "", "v", {.middle = 0})));
}

}  // namespace
}  // namespace bnlab
