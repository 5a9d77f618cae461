// Bars with intervals: one a category and arm.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bnlab/charts/style.h"
#include "bnlab/record/json_fields.h"

namespace bnlab {

struct Bar {
  std::string category, arm;
  double value = 0, low = 0, high = 0;  ///< low and high: the ends of the interval
};

struct BarOptions {
  bool log = false;                      ///< values are then drawn as dots, unless `from` says where bars begin
  bool horizontal = false;               ///< for long names, or many categories
  std::optional<double> from = {};       ///< where bars begin: 0 on a linear axis
  std::optional<double> reference = {};  ///< a dashed line there, e.g. at chance
  std::string reference_label = {};
};

/// Categories and arms in the order of the data; arms of a category side by side.
/// Throws std::invalid_argument if bars on a logarithmic axis are to begin at 0 or below.
Json bar_chart(const std::vector<Bar>& bars, const std::vector<ArmStyle>& styles, const std::string& category_title,
               const std::string& value_title, const BarOptions& options = {});

}  // namespace bnlab
