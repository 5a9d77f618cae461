// Ridge plots: how a distribution changes, one density a row.
#pragma once

#include <string>
#include <vector>

#include "bnlab/record/json_fields.h"

namespace bnlab {

/// One density in a ridge plot: a histogram of a sample, drawn with its base at the height of its row.
struct Ridge {
  std::string panel;  ///< e.g. "layer 3, with BN"
  double row = 0;     ///< e.g. the step
  std::vector<double> sorted_sample;
};

/// Panels side by side, in the order given; in each, one density a row, later rows in front and lower, as in
/// Santurkar's Fig. 1c. Each panel's values run over its own range (the 0.5th to 99.5th percentile over all rows), its
/// densities over their own height.
Json ridge_chart(const std::vector<Ridge>& ridges, const std::vector<std::string>& panels, size_t columns,
                 const std::string& x_title, const std::string& row_title);

}  // namespace bnlab
