// Histograms: of one sample, of several over each other, or in panels.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bnlab/charts/style.h"
#include "bnlab/record/json_fields.h"

namespace bnlab {

struct HistogramSample {
  std::string panel;  ///< "" throughout: one chart without panels
  std::string arm;
  std::vector<double> values;  ///< in any order
};

struct HistogramOptions {
  size_t bins = 40;
  bool log_x = false;       ///< bins of equal width in log x
  bool log_counts = false;  ///< a bin without values then stands at the axis
  bool shares = false;      ///< percent of the arm's values instead of counts: for samples of different sizes
  std::optional<std::pair<double, double>> range = {};  ///< by default from the smallest to the largest of a panel
  size_t columns = 2;                                   ///< of panels
};

/// Arms of a panel share its bins. A bin holds its lower edge, the last one also its upper.
/// Throws std::invalid_argument for no bins, or for a range that is empty or not on the axis.
Json histogram_chart(const std::vector<HistogramSample>& samples, const std::vector<ArmStyle>& styles,
                     const std::string& x_title, const HistogramOptions& options = {});

}  // namespace bnlab
