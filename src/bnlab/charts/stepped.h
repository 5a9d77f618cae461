// Points and lines in a plane that move from step to step: a slider below the chart chooses the step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bnlab/charts/style.h"
#include "bnlab/record/json_fields.h"

namespace bnlab {

/// What is drawn at one step.
struct SteppedFrame {
  struct Point {
    std::string arm;
    double x = 0, y = 0;
  };
  /// Where a*x + b*y + c = 0.
  struct Line {
    std::string arm;
    double a = 0, b = 0, c = 0;
  };
  int64_t step = 0;
  std::vector<Point> points;
  std::vector<Line> lines;
};

struct SteppedPanel {
  std::string title;
  std::vector<SteppedFrame> frames;  ///< in the order of their steps, which are equally far apart
};

/// Panels side by side with one slider, on the same axes at all steps. Of the first step's points a grey copy stays,
/// and the path of the points' mean is drawn, so that the chart also says where they came from when it is printed. It
/// opens a quarter of the way.
Json stepped_chart(const std::vector<SteppedPanel>& panels, const std::vector<ArmStyle>& styles,
                   const std::string& x_title, const std::string& y_title, size_t columns);

}  // namespace bnlab
