// Several charts as one figure.
#pragma once

#include <string>
#include <vector>

#include "bnlab/record/json_fields.h"

namespace bnlab {

/// One chart of several, each with its title.
struct Panel {
  std::string title;
  Json chart;  ///< of any function that makes one chart
};

/// Charts side by side, `columns` in a row. Where they show the same kind of marks, they share one legend, which has
/// the arms of all of them; maps do where they have the same scale of colours, else each has its own. What a chart
/// leaves out is said with its title.
Json panels(const std::vector<Panel>& charts, size_t columns);

}  // namespace bnlab
