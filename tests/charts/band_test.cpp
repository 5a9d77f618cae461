#include "bnlab/charts/band.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/charts/chart_parts.h"

namespace bnlab {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::numbers;
using testing::unit_with;

const std::vector<ArmStyle> kStyles = {{"a", colors::kBlue}, {"b", colors::kRed, {6, 4}}};

TEST(BandChart, HasTitledAxesWithTheirScales) {
  const Json chart = band_chart({{"a", 1, 2, 1, 3}}, kStyles, "training step", "loss", {.log_x = true, .log_y = true});
  EXPECT_EQ(chart["encoding"]["x"]["title"], "training step");
  EXPECT_EQ(chart["encoding"]["x"]["scale"]["type"], "log");
  for (const char* mark : {"area", "line"}) {
    const Json y = unit_with(chart, mark)["encoding"]["y"];
    EXPECT_EQ(y["title"], "loss");
    EXPECT_EQ(y["scale"]["type"], "log");
  }
  EXPECT_EQ(band_chart({{"a", 1, 2, 1, 3}}, kStyles, "x", "y")["encoding"]["x"]["scale"]["type"], "linear");
}

TEST(BandChart, DrawsArmsInTheirColorsAndDashes) {
  const Json line = unit_with(band_chart({{"b", 1, 2, 1, 3}}, kStyles, "x", "y"), "line")["encoding"];
  EXPECT_EQ(line["color"]["scale"], (Json{{"domain", {"a", "b"}}, {"range", {colors::kBlue, colors::kRed}}}));
  EXPECT_EQ(line["strokeDash"]["scale"]["range"], Json::parse("[[1, 0], [6, 4]]"));
}

TEST(BandChart, AnArmWithoutStyleGetsOne) {
  const Json color = unit_with(band_chart({{"c", 1, 2, 1, 3}}, kStyles, "x", "y"), "line")["encoding"]["color"];
  EXPECT_EQ(color["scale"]["domain"], Json::parse(R"(["a", "b", "c"])"));
  EXPECT_EQ(color["scale"]["range"].size(), 3u);
}

TEST(BandChart, KeepsTheData) {
  const Json chart = band_chart({{"a", 1, 2, 1, 3}, {"b", 4, 5.5, 5, 6}}, kStyles, "x", "y");
  EXPECT_EQ(chart["data"]["values"][1], (Json{{"arm", "b"}, {"x", 4}, {"mean", 5.5}, {"low", 5}, {"high", 6}}));
  EXPECT_THAT(notes_of(chart), IsEmpty());
}

TEST(BandChart, WhatIsNotFiniteIsLeftOutAndCounted) {
  const Json chart = band_chart({{"a", 0, NAN, 1, 3}, {"a", INFINITY, 2, 1, 3}, {"a", 2, 2, 1, 3}}, kStyles, "x", "y");
  EXPECT_THAT(numbers(chart["data"]["values"], "x"), ElementsAre(2));
  EXPECT_FALSE(testing::has_number_that_is_none(chart));
  EXPECT_THAT(notes_of(chart), ElementsAre("2 values are not finite and are left out."));
}

TEST(BandChart, WhereABandIsNotFiniteTheLineIsDrawn) {
  const Json chart = band_chart({{"a", 0, 5, -INFINITY, INFINITY}, {"a", 1, 5, 4, 6}}, kStyles, "x", "y");
  EXPECT_THAT(numbers(chart["data"]["values"], "mean"), ElementsAre(5, 5));
  EXPECT_THAT(numbers(chart["data"]["values"], "low"), ElementsAre(5, 4));
  EXPECT_THAT(notes_of(chart), ElementsAre("1 interval is not finite: only its value is drawn."));
}

TEST(BandChart, OnALogarithmicAxisABandThatReachesZeroIsCutAndItsLineDrawn) {
  const Json chart =
      band_chart({{"a", 0, 5, -1, 6}, {"a", 1, 0.5, 0.25, 1}, {"a", 2, 0, 0, 1}}, kStyles, "x", "y", {.log_y = true});
  EXPECT_THAT(numbers(chart["data"]["values"], "mean"), ElementsAre(5, 0.5));
  EXPECT_THAT(numbers(chart["data"]["values"], "low"), ElementsAre(0.25, 0.25));
  EXPECT_THAT(notes_of(chart),
              ElementsAre("1 value of 0 or below is left out: the axis is logarithmic.",
                          "1 interval reaches to 0 or below, which a logarithmic axis cannot show: it is cut at the "
                          "lowest value."));
}

TEST(BandChart, OnALinearAxisNothingBelowZeroIsLeftOut) {
  const Json chart = band_chart({{"a", -1, -5, -6, -4}}, kStyles, "x", "y");
  EXPECT_EQ(chart["data"]["values"].size(), 1u);
  EXPECT_THAT(notes_of(chart), IsEmpty());
}

TEST(BandChart, ALonePointIsASymbol) {
  EXPECT_TRUE(unit_with(band_chart({{"a", 1, 2, 1, 3}}, kStyles, "x", "y"), "line")["mark"]["point"].is_object());
  const Json two = band_chart({{"a", 1, 2, 1, 3}, {"a", 2, 2, 1, 3}}, kStyles, "x", "y");
  EXPECT_EQ(unit_with(two, "line")["mark"]["point"], false);
}

TEST(BandChart, WithoutDataItSaysSo) {
  EXPECT_TRUE(testing::says_no_data(band_chart({}, kStyles, "x", "loss")));
  const Json chart = band_chart({{"a", 1, NAN, 1, 3}}, kStyles, "x", "loss");
  EXPECT_TRUE(testing::says_no_data(chart));
  EXPECT_THAT(notes_of(chart), ElementsAre("1 value is not finite and is left out."));
}

TEST(BandChart, CarriesItsColorsForADarkPage) {
  const Json dark = band_chart({{"a", 1, 2, 1, 3}}, {{"a", colors::kBlue}}, "x", "y")["usermeta"]["dark"];
  EXPECT_EQ(dark[colors::kBlue], on_dark(colors::kBlue));
}

}  // namespace
}  // namespace bnlab
