// The kinds of Vega-Lite charts that experiments draw: each takes plain data and returns a specification.
#pragma once

#include <string>
#include <vector>

#include "bnlab/record/json_fields.h"

namespace bnlab {

/// One arm's curve with a band over its seeds.
struct BandPoint {
  std::string arm;
  double x = 0, mean = 0, low = 0, high = 0;
};

/// The look of an arm: the same in all figures of an experiment.
struct ArmStyle {
  std::string arm;
  std::string color;           ///< "#rrggbb"
  std::vector<int> dash = {};  ///< empty: a solid line
};

struct BandOptions {
  bool points = false;  ///< a symbol at each point, for sparse curves
  bool log_x = false;
  bool log_y = false;     ///< values of 0 and below are then left out
  bool diagonal = false;  ///< of a scatter chart: the same range on both axes, and the line x = y
};

/// Lines with bands.
Json band_chart(const std::vector<BandPoint>& data, const std::vector<ArmStyle>& styles, const std::string& x_title,
                const std::string& y_title, const BandOptions& options = {});

/// Points without lines; `low` and `high` of the data are not drawn.
Json scatter_chart(const std::vector<BandPoint>& data, const std::vector<ArmStyle>& styles, const std::string& x_title,
                   const std::string& y_title, const BandOptions& options = {});

/// One chart of several, each with its title.
struct Panel {
  std::string title;
  Json chart;  ///< of band_chart()
};

/// Charts side by side, `columns` in a row.
Json panels(const std::vector<Panel>& charts, size_t columns);

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
