// Curves with a band over their seeds.
#pragma once

#include <string>
#include <vector>

#include "bnlab/charts/style.h"
#include "bnlab/record/json_fields.h"

namespace bnlab {

/// One arm's curve with a band over its seeds.
struct BandPoint {
  std::string arm;
  double x = 0, mean = 0, low = 0, high = 0;
};

struct BandOptions {
  bool points = false;  ///< a symbol at each point, for sparse curves
  bool log_x = false;
  bool log_y = false;
};

/// Lines with bands. Where a band is not finite, only the line is drawn; where it reaches to 0 or below on a
/// logarithmic axis, it is drawn down to the lowest value of the chart.
Json band_chart(const std::vector<BandPoint>& data, const std::vector<ArmStyle>& styles, const std::string& x_title,
                const std::string& y_title, const BandOptions& options = {});

}  // namespace bnlab
