// Points without lines, on linear or logarithmic axes, with the diagonal or a fitted line where it helps to see.
#pragma once

#include <string>
#include <vector>

#include "bnlab/charts/band.h"
#include "bnlab/charts/style.h"
#include "bnlab/record/json_fields.h"

namespace bnlab {

struct ScatterOptions {
  bool log_x = false;
  bool log_y = false;
  bool diagonal = false;  ///< the same range on both axes, and the line x = y
  bool fit = false;       ///< each arm's least-squares line in the axes as drawn (log-log: a power law), with its slope
};

/// A point each at (x, mean); `low` and `high` of the data are not drawn.
Json scatter_chart(const std::vector<BandPoint>& data, const std::vector<ArmStyle>& styles, const std::string& x_title,
                   const std::string& y_title, const ScatterOptions& options = {});

}  // namespace bnlab
