#include "bnlab/charts/stepped.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bnlab/charts/specification.h"
#include "tests/charts/chart_parts.h"

namespace bnlab {
namespace {

using testing::kTwoArms;

/// A square of points whose corner moves by (step, 0), and the diagonal of the first.
SteppedFrame square(int64_t step) {
  const auto moved = static_cast<double>(step);
  return {step, {{"a", moved, 0}, {"a", moved, 1}, {"b", moved + 1, 0}, {"b", moved + 1, 1}}, {{"b", 1, -1, 0}}};
}

const std::vector<SteppedPanel> kSquares = {{"one", {square(0), square(2), square(4)}},
                                            {"other", {square(0), square(2), square(4)}}};

/// The layers of a panel: where the points began, the path of their mean, the points, the lines.
Json layers_of(const Json& chart, size_t panel) {
  return chart["concat"][panel]["layer"];
}

TEST(SteppedChart, ASliderChoosesTheStepOfPointsAndLines) {
  const Json chart = stepped_chart(kSquares, kTwoArms, "x1", "x2", 2);
  ASSERT_EQ(chart["params"].size(), 1u);
  EXPECT_EQ(chart["params"][0]["name"], "step");
  EXPECT_EQ(chart["params"][0]["value"], 0);
  EXPECT_EQ(chart["params"][0]["bind"],
            (Json{{"input", "range"}, {"name", "training step "}, {"min", 0}, {"max", 4}, {"step", 2}}));
  for (const size_t panel : {0, 1}) {
    const Json layers = layers_of(chart, panel);
    for (const size_t still : {0, 1}) EXPECT_FALSE(layers[still].contains("transform"));
    for (const size_t moving : {2, 3}) EXPECT_EQ(layers[moving]["transform"][0]["filter"], "datum.step == step");
  }
}

TEST(SteppedChart, HasOneFrameForAllStepsAndTheWayThatThePointsTook) {
  const Json layers = layers_of(stepped_chart(kSquares, kTwoArms, "x1", "x2", 2), 0);
  for (const Json& layer : layers) {
    EXPECT_EQ(layer["encoding"]["x"]["title"], "x1");
    EXPECT_EQ(layer["encoding"]["y"]["title"], "x2");
    EXPECT_NEAR(layer["encoding"]["x"]["scale"]["domain"][0].get<double>(), -0.25, 1e-9);
    EXPECT_NEAR(layer["encoding"]["x"]["scale"]["domain"][1].get<double>(), 5.25, 1e-9);
  }
  const Json start = layers[0]["data"]["values"], path = layers[1]["data"]["values"];
  EXPECT_EQ(start.size(), 4u);
  ASSERT_EQ(path.size(), 3u);
  EXPECT_NEAR(path[2]["x"].get<double>(), 4.5, 1e-12);
  EXPECT_NEAR(path[2]["y"].get<double>(), 0.5, 1e-12);
  EXPECT_EQ(layers[2]["data"]["values"].size(), 12u);
}

TEST(SteppedChart, PanelsShareTheirAxesAndOpenAQuarterOfTheWay) {
  std::vector<SteppedPanel> squares = {{"one", {}}, {"other", {square(40), square(41)}}};
  for (int64_t step = 0; step <= 8; ++step) squares[0].frames.push_back(square(step));
  const Json chart = stepped_chart(squares, kTwoArms, "x1", "x2", 2);
  EXPECT_EQ(chart["params"][0]["value"], 2);
  for (const size_t panel : {0, 1}) {
    const Json domain = layers_of(chart, panel)[2]["encoding"]["x"]["scale"]["domain"];
    EXPECT_NEAR(domain[0].get<double>(), -2.1, 1e-9);
    EXPECT_NEAR(domain[1].get<double>(), 44.1, 1e-9);
  }
}

TEST(SteppedChart, LinesEndAtTheFrame) {
  const Json lines = layers_of(stepped_chart(kSquares, kTwoArms, "x1", "x2", 2), 0)[3]["data"]["values"];
  ASSERT_EQ(lines.size(), 6u);
  for (const Json& end : lines) {
    EXPECT_NEAR(end["x"].get<double>(), end["y"].get<double>(), 1e-12) << "on the diagonal";
    EXPECT_LT(std::min(std::abs(end["y"].get<double>() + 0.05), std::abs(end["y"].get<double>() - 1.05)), 1e-12);
  }
}

TEST(SteppedChart, WhatCannotBeDrawnIsLeftOutAndCounted) {
  std::vector<SteppedPanel> squares = kSquares;
  squares[0].frames[0].points[0].x = NAN;
  squares[1].frames[2].lines[0].c = 100;
  const Json chart = stepped_chart(squares, kTwoArms, "x1", "x2", 2);
  EXPECT_THAT(notes_of(chart), ::testing::ElementsAre("one: 1 value is not finite and is left out.",
                                                      "other: 1 value lies outside of the range that is drawn."));
  EXPECT_EQ(layers_of(chart, 1)[3]["data"]["values"].size(), 4u);
  EXPECT_FALSE(stepped_chart({}, kTwoArms, "x1", "x2", 2).contains("params")) << "nothing to step through";
}

}  // namespace
}  // namespace bnlab
