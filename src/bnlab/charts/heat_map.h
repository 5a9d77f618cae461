// Heat maps: a coloured cell for each row and column.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bnlab/record/json_fields.h"

namespace bnlab {

struct HeatCell {
  std::string row, column;
  double value = 0;
};

/// Words on a cell, e.g. where something lies on a map.
struct HeatMark {
  std::string row, column, text;
};

struct HeatMapOptions {
  bool log = false;                   ///< a logarithmic scale of colours
  std::optional<double> middle = {};  ///< diverging colours, equally far to both sides of this value
  bool numbers = false;               ///< the value in each cell, for small maps
  std::vector<HeatMark> marks = {};   ///< one on a cell that is not drawn is left out
};

/// Rows (from above) and columns in the order of the data. A cell whose value cannot be drawn stays empty.
/// Throws std::invalid_argument if a logarithmic scale is to have its middle at 0 or below.
Json heat_map_chart(const std::vector<HeatCell>& cells, const std::string& row_title, const std::string& column_title,
                    const std::string& value_title, const HeatMapOptions& options = {});

}  // namespace bnlab
