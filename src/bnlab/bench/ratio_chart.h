// The one kind of chart that benchmarks draw: horizontal bars of peer time / our time, a row for each shape.
#pragma once

#include <string>
#include <vector>

#include "bnlab/record/json_fields.h"

namespace bnlab::bench {

struct RatioSeries {
  std::string name;
  std::string color;     ///< "#rrggbb"
  bool is_mark = false;  ///< a mark across the row instead of a bar
};

struct RatioValue {
  std::string row, series;
  double ratio = 0, low = 0, high = 0;
  double peer_ms = 0, our_ms = 0;
};

/// A Vega-Lite specification: rows and bars in the order given, intervals as thin lines, a dashed line at 1.
[[nodiscard]] Json ratio_chart(const std::vector<RatioValue>& values, const std::vector<RatioSeries>& series,
                               const std::string& x_title);

}  // namespace bnlab::bench
