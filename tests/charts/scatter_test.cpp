#include "bnlab/charts/scatter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/charts/chart_parts.h"

namespace bnlab {
namespace {

using ::testing::ElementsAre;
using testing::numbers;
using testing::unit_with;

const std::vector<ArmStyle> kStyles = {{"a", colors::kBlue}, {"b", colors::kRed}};
constexpr ScatterOptions kLogLog = {.log_x = true, .log_y = true};

std::vector<BandPoint> power_law(const std::string& arm, double factor, double exponent) {
  std::vector<BandPoint> points;
  for (const double x : {0.01, 0.1, 1.0, 100.0}) points.push_back({arm, x, factor * std::pow(x, exponent), 0, 0});
  return points;
}

/// The data of the layer of fitted lines.
Json fit_of(const Json& chart) {
  const Json& last = chart["layer"].back();
  return last.contains("layer") ? last["data"]["values"] : Json();
}

TEST(ScatterChart, HasTitledAxesWithTheirScalesAndItsData) {
  const Json chart = scatter_chart({{"a", 1, 2, 0, 0}, {"b", 3, 4, 0, 0}}, kStyles, "drift", "accuracy (%)", kLogLog);
  const Json encoding = unit_with(chart, "point")["encoding"];
  EXPECT_EQ(encoding["x"]["title"], "drift");
  EXPECT_EQ(encoding["y"]["title"], "accuracy (%)");
  for (const char* axis : {"x", "y"}) EXPECT_EQ(encoding[axis]["scale"]["type"], "log");
  EXPECT_EQ(encoding["color"]["scale"]["range"], (Json{colors::kBlue, colors::kRed}));
  EXPECT_EQ(chart["data"]["values"][1], (Json{{"arm", "b"}, {"x", 3}, {"mean", 4}}));
}

TEST(ScatterChart, PointsOffTheAxesAreLeftOutAndCounted) {
  const Json chart = scatter_chart({{"a", 0, 2, 0, 0}, {"a", 1, -2, 0, 0}, {"a", NAN, 1, 0, 0}, {"a", 1, 1, 0, 0}},
                                   kStyles, "x", "y", kLogLog);
  EXPECT_EQ(chart["data"]["values"].size(), 1u);
  EXPECT_THAT(notes_of(chart), ElementsAre("1 value is not finite and is left out.",
                                           "2 values of 0 or below are left out: the axis is logarithmic."));
}

TEST(ScatterChart, TheDiagonalHasTheSameRangeOnBothAxes) {
  const Json chart = scatter_chart({{"a", 1, 30, 0, 0}, {"a", 4, 2, 0, 0}, {"a", -INFINITY, 2, 0, 0}}, kStyles, "x",
                                   "y", {.diagonal = true});
  const Json points = unit_with(chart, "point")["encoding"];
  const Json domain = points["x"]["scale"]["domain"];
  EXPECT_EQ(domain, points["y"]["scale"]["domain"]);
  EXPECT_LT(domain[0].get<double>(), 1);
  EXPECT_GT(domain[1].get<double>(), 30);
  EXPECT_LT(domain[1].get<double>(), 33);
  EXPECT_FALSE(testing::has_number_that_is_none(chart));
}

TEST(ScatterChart, AFitOnLogarithmicAxesFindsThePowerLawOfEachArm) {
  auto points = power_law("a", 3, 0.5);
  for (const auto& point : power_law("b", 0.2, -1)) points.push_back(point);
  ScatterOptions options = kLogLog;
  options.fit = true;
  const Json fit = fit_of(scatter_chart(points, kStyles, "x", "y", options));
  ASSERT_EQ(fit.size(), 4u);
  EXPECT_EQ(fit[1]["label"], "slope 0.5");
  EXPECT_EQ(fit[3]["label"], "slope -1");
  EXPECT_NEAR(fit[0]["y"].get<double>(), 3 * 0.1, 1e-12);
  EXPECT_NEAR(fit[1]["y"].get<double>(), 3 * 10, 1e-9);
  EXPECT_NEAR(fit[3]["y"].get<double>(), 0.2 / 100, 1e-12);
}

TEST(ScatterChart, AFitOnLinearAxesIsALineAndSkipsWhatHasNone) {
  const std::vector<BandPoint> points = {
      {"a", 0, 1, 0, 0}, {"a", 1, 3, 0, 0}, {"a", 2, 5, 0, 0}, {"b", 7, 1, 0, 0}, {"b", 7, 2, 0, 0}};
  const Json fit = fit_of(scatter_chart(points, kStyles, "x", "y", {.fit = true}));
  ASSERT_EQ(fit.size(), 2u);
  EXPECT_EQ(fit[1]["label"], "slope 2");
  EXPECT_THAT(numbers(fit, "y"), ElementsAre(1, 5));
}

TEST(ScatterChart, WithoutDataItSaysSo) {
  EXPECT_TRUE(testing::says_no_data(scatter_chart({}, kStyles, "x", "y", {.diagonal = true, .fit = true})));
}

}  // namespace
}  // namespace bnlab
