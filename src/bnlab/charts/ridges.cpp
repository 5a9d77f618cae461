#include "bnlab/charts/ridges.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/charts/specification.h"

namespace bnlab {
namespace {

constexpr size_t kBins = 60;
constexpr size_t kTicks = 5;
constexpr char kFirst[] = "#aebcd3", kFirstOnDark[] = "#33415c";  // the first row's colours; the last row's is kBlue
constexpr double kOverlap = 2.2;                                  // the median peak's height in rows

struct Range {
  double low, high;
};

double quantile(const std::vector<double>& sorted, double q) {
  return sorted[static_cast<size_t>(q * static_cast<double>(sorted.size() - 1))];
}

/// The panel's rows in order, with what is finite of their samples; rows without any are left out.
std::vector<Ridge> rows_of(const std::vector<Ridge>& ridges, const std::string& panel, charts::LeftOut& left_out) {
  std::vector<Ridge> rows;
  for (const auto& ridge : ridges) {
    if (ridge.panel != panel || !left_out.draws(ridge.row, false)) continue;
    Ridge kept{ridge.panel, ridge.row, {}};
    for (const double value : ridge.sorted_sample) {
      if (left_out.draws(value, false)) kept.sorted_sample.push_back(value);
    }
    if (!kept.sorted_sample.empty()) rows.push_back(std::move(kept));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Ridge& a, const Ridge& b) { return a.row < b.row; });
  return rows;
}

Range range_of(const std::vector<Ridge>& rows) {
  Range range{INFINITY, -INFINITY};
  for (const auto& row : rows) {
    range.low = std::min(range.low, quantile(row.sorted_sample, 0.005));
    range.high = std::max(range.high, quantile(row.sorted_sample, 0.995));
  }
  if (!(range.high > range.low)) range = {range.low - 0.5, range.low + 0.5};
  return range;
}

/// Share of the sample in each of kBins equal bins, smoothed over three bins so that the outline is calm.
std::vector<double> density(const std::vector<double>& sorted, const Range& range) {
  std::vector<double> counts(kBins, 0.0), smooth(kBins, 0.0);
  for (const double value : sorted) {
    const double place = (value - range.low) / (range.high - range.low) * static_cast<double>(kBins);
    if (place >= 0 && place < static_cast<double>(kBins)) counts[static_cast<size_t>(place)] += 1;
  }
  for (size_t i = 0; i < kBins; ++i) {
    const double left = counts[i == 0 ? 0 : i - 1], right = counts[std::min(i + 1, kBins - 1)];
    smooth[i] = (left + 2 * counts[i] + right) / 4 / static_cast<double>(sorted.size());
  }
  return smooth;
}

/// The median peak, so that one spike (a collapsed distribution) does not flatten all others.
double common_peak(const std::vector<std::vector<double>>& densities) {
  std::vector<double> peaks;
  for (const auto& one : densities) peaks.push_back(*std::max_element(one.begin(), one.end()));
  std::nth_element(peaks.begin(), peaks.begin() + static_cast<int64_t>(peaks.size() / 2), peaks.end());
  return std::max(peaks[peaks.size() / 2], 1e-12);
}

/// The outline of one row; `row_height` in units of the rows' axis.
Json outline(const std::vector<double>& density, double row, const Range& range, double row_height) {
  Json values = Json::array();
  for (size_t i = 0; i < kBins; ++i) {
    const double x = range.low + (static_cast<double>(i) + 0.5) * (range.high - range.low) / static_cast<double>(kBins);
    values.push_back({{"x", std::stod(fmt::format("{:.5g}", x))},
                      {"base", row},
                      {"top", std::stod(fmt::format("{:.6g}", row - density[i] * row_height))}});
  }
  return values;
}

Json row_layer(const Json& values, double share, const Json& x, const Json& y) {
  return {{"data", {{"values", values}}},
          {"mark",
           {{"type", "area"},
            {"line", {{"color", colors::kPaper}, {"strokeWidth", 0.8}}},
            {"fillOpacity", 0.88},
            {"color", mixed(kFirst, colors::kBlue, share)}}},
          {"encoding", {{"x", x}, {"y", y}, {"y2", {{"field", "base"}}}}}};
}

/// How far a row has come: 0 for the first, 1 for the last.
double age(size_t row, size_t rows) {
  return rows > 1 ? static_cast<double>(row) / static_cast<double>(rows - 1) : 1;
}

/// On a dark page the first rows are dark.
Json dark_rows(size_t rows) {
  Json dark = Json::object();
  for (size_t r = 0; r < rows; ++r) {
    const double share = age(r, rows);
    dark[mixed(kFirst, colors::kBlue, share)] = mixed(kFirstOnDark, on_dark(colors::kBlue), share);
  }
  return dark;
}

Json panel_chart(const std::vector<Ridge>& rows, const std::string& title, const std::string& x_title,
                 const std::string& row_title) {
  const Range range = range_of(rows);
  std::vector<std::vector<double>> densities;
  for (const auto& row : rows) densities.push_back(density(row.sorted_sample, range));
  const double peak = common_peak(densities);
  const double spacing = rows.back().row > rows.front().row
                             ? (rows.back().row - rows.front().row) / static_cast<double>(rows.size() - 1)
                             : 1;
  Json ticks = Json::array();
  for (size_t r = 0; r < rows.size(); r += std::max<size_t>(1, rows.size() / kTicks)) ticks.push_back(rows[r].row);
  Json x = charts::channel("x", x_title, false), y = charts::channel("top", row_title, false);
  x["scale"] = {{"domain", {range.low, range.high}}, {"nice", false}, {"zero", false}};
  y["scale"] = {{"reverse", true}, {"zero", false}, {"nice", false}};
  y["axis"] = {{"grid", false}, {"values", ticks}};
  Json layers = Json::array();
  for (size_t r = 0; r < rows.size(); ++r) {
    for (double& height : densities[r]) height = std::min(height / peak, 2.0);
    layers.push_back(
        row_layer(outline(densities[r], rows[r].row, range, kOverlap * spacing), age(r, rows.size()), x, y));
  }
  return {{"title", title}, {"width", 260}, {"height", 300}, {"layer", layers}};
}

Json empty_panel(const std::string& title, const charts::LeftOut& left_out) {
  Json panel = charts::no_data("", left_out);
  panel.erase("$schema");
  panel.erase("usermeta");
  panel.update({{"title", title}, {"width", 260}});
  return panel;
}

}  // namespace

Json ridge_chart(const std::vector<Ridge>& ridges, const std::vector<std::string>& panels, size_t columns,
                 const std::string& x_title, const std::string& row_title) {
  charts::LeftOut left_out;
  Json all = Json::array(), dark = Json::object();
  for (const auto& panel : panels) {
    const auto rows = rows_of(ridges, panel, left_out);
    dark.update(dark_rows(rows.size()));
    all.push_back(rows.empty() ? empty_panel(panel, left_out) : panel_chart(rows, panel, x_title, row_title));
  }
  if (all.empty()) return charts::no_data(x_title, left_out);
  return charts::finished({{"columns", columns}, {"concat", all}}, left_out, dark);
}

}  // namespace bnlab
