#include "bnlab/charts/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace bnlab {
namespace {

constexpr char kSchema[] = "https://vega.github.io/schema/vega-lite/v5.json";

Json arm_encoding(const std::vector<ArmStyle>& styles) {
  Json names = Json::array(), colors = Json::array(), dashes = Json::array();
  for (const auto& style : styles) {
    names.push_back(style.arm);
    colors.push_back(style.color);
    dashes.push_back(style.dash.empty() ? Json{1, 0} : Json(style.dash));
  }
  const Json legend = {{"orient", "bottom"},     {"columns", 2},           {"labelLimit", 320}, {"symbolSize", 500},
                       {"symbolType", "stroke"}, {"symbolStrokeWidth", 2}, {"title", nullptr}};
  return {
      {"color",
       {{"field", "arm"}, {"type", "nominal"}, {"scale", {{"domain", names}, {"range", colors}}}, {"legend", legend}}},
      {"strokeDash",
       {{"field", "arm"}, {"type", "nominal"}, {"scale", {{"domain", names}, {"range", dashes}}}, {"legend", legend}}}};
}

double quantile(const std::vector<double>& sorted, double q) {
  return sorted[static_cast<size_t>(q * static_cast<double>(sorted.size() - 1))];
}

constexpr size_t kBins = 60;
constexpr size_t kTicks = 5;
struct Range {
  double low, high;
};

Range panel_range(const std::vector<Ridge>& ridges, const std::string& panel) {
  Range range{INFINITY, -INFINITY};
  for (const auto& ridge : ridges) {
    if (ridge.panel != panel || ridge.sorted_sample.empty()) continue;
    range.low = std::min(range.low, quantile(ridge.sorted_sample, 0.005));
    range.high = std::max(range.high, quantile(ridge.sorted_sample, 0.995));
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

Json ridge_panel(const std::vector<Ridge>& ridges, const std::string& panel, const std::string& x_title,
                 const std::string& row_title) {
  std::vector<const Ridge*> rows;
  for (const auto& ridge : ridges) {
    if (ridge.panel == panel && !ridge.sorted_sample.empty()) rows.push_back(&ridge);
  }
  if (rows.empty()) return {{"title", panel + ": no data"}, {"data", {{"values", Json::array()}}}, {"mark", "point"}};
  std::sort(rows.begin(), rows.end(), [](const Ridge* a, const Ridge* b) { return a->row < b->row; });
  const Range range = panel_range(ridges, panel);
  std::vector<std::vector<double>> densities;
  std::vector<double> peaks;
  for (const Ridge* ridge : rows) {
    densities.push_back(density(ridge->sorted_sample, range));
    peaks.push_back(*std::max_element(densities.back().begin(), densities.back().end()));
  }
  // The median peak, so that one spike (a collapsed distribution) does not flatten all others.
  std::nth_element(peaks.begin(), peaks.begin() + static_cast<int64_t>(peaks.size() / 2), peaks.end());
  const double peak = std::max(peaks[peaks.size() / 2], 1e-12);
  const double spacing =
      rows.size() > 1 ? (rows.back()->row - rows.front()->row) / static_cast<double>(rows.size() - 1) : 1;
  Json ticks = Json::array();
  for (size_t r = 0; r < rows.size(); r += std::max<size_t>(1, rows.size() / kTicks)) ticks.push_back(rows[r]->row);
  Json layers = Json::array();
  for (size_t r = 0; r < rows.size(); ++r) {
    Json values = Json::array();
    for (size_t i = 0; i < kBins; ++i) {
      const double x =
          range.low + (static_cast<double>(i) + 0.5) * (range.high - range.low) / static_cast<double>(kBins);
      const double height = std::min(densities[r][i] / peak, 2.0) * 2.2 * spacing;
      values.push_back({{"x", std::round(x * 1e4) / 1e4},
                        {"base", rows[r]->row},
                        {"top", std::round((rows[r]->row - height) * 1e2) / 1e2}});
    }
    const double age = rows.size() > 1 ? static_cast<double>(r) / static_cast<double>(rows.size() - 1) : 1;
    layers.push_back({{"data", {{"values", values}}},
                      {"mark",
                       {{"type", "area"},
                        {"line", {{"color", "#ffffff"}, {"strokeWidth", 0.8}}},
                        {"fillOpacity", 0.85},
                        {"color", fmt::format("hsl(212, {:.0f}%, {:.0f}%)", 25 + 40 * age, 72 - 34 * age)}}},
                      {"encoding",
                       {{"x",
                         {{"field", "x"},
                          {"type", "quantitative"},
                          {"title", x_title},
                          {"scale", {{"domain", {range.low, range.high}}, {"nice", false}, {"zero", false}}}}},
                        {"y",
                         {{"field", "top"},
                          {"type", "quantitative"},
                          {"title", row_title},
                          {"scale", {{"reverse", true}, {"zero", false}, {"nice", false}}},
                          {"axis", {{"grid", false}, {"values", ticks}}}}},
                        {"y2", {{"field", "base"}}}}}});
  }
  return {{"title", panel}, {"width", 260}, {"height", 300}, {"layer", layers}};
}

}  // namespace

Json band_chart(const std::vector<BandPoint>& data, const std::vector<ArmStyle>& styles, const std::string& x_title,
                const std::string& y_title, const BandOptions& options) {
  Json values = Json::array();
  for (const auto& point : data) {
    if (options.log_y && !(point.low > 0)) continue;
    values.push_back(
        {{"arm", point.arm}, {"x", point.x}, {"mean", point.mean}, {"low", point.low}, {"high", point.high}});
  }
  const auto scale = [](bool log) { return log ? Json{{"type", "log"}} : Json{{"type", "linear"}}; };
  const Json x = {{"field", "x"}, {"type", "quantitative"}, {"title", x_title}, {"scale", scale(options.log_x)}};
  const Json arm = arm_encoding(styles);
  Json band = {
      {"mark", {{"type", "area"}, {"opacity", 0.18}}},
      {"encoding",
       {{"y", {{"field", "low"}, {"type", "quantitative"}, {"title", y_title}, {"scale", scale(options.log_y)}}},
        {"y2", {{"field", "high"}}},
        {"color", arm["color"]}}}};
  Json line = {
      {"mark",
       {{"type", "line"},
        {"strokeWidth", 2},
        {"tooltip", true},
        {"point", options.points ? Json{{"size", 30}} : Json(false)}}},
      {"encoding",
       {{"y", {{"field", "mean"}, {"type", "quantitative"}, {"title", y_title}, {"scale", scale(options.log_y)}}},
        {"color", arm["color"]},
        {"strokeDash", arm["strokeDash"]}}}};
  return {{"$schema", kSchema},           {"width", "container"},   {"height", 300},
          {"data", {{"values", values}}}, {"encoding", {{"x", x}}}, {"layer", {band, line}}};
}

namespace {

void add_diagonal(Json& chart, const std::vector<BandPoint>& data) {
  double low = INFINITY, high = -INFINITY;
  for (const auto& point : data) {
    low = std::min({low, point.x, point.mean});
    high = std::max({high, point.x, point.mean});
  }
  const Json domain = {low, high};
  chart["encoding"]["x"]["scale"]["domain"] = domain;
  Json& y = chart["layer"][0]["encoding"]["y"];
  y["scale"]["domain"] = domain;
  Json line_y = y;
  line_y["field"] = "y";
  chart["layer"].push_back({{"data", {{"values", {{{"x", low}, {"y", low}}, {{"x", high}, {"y", high}}}}}},
                            {"mark", {{"type", "line"}, {"color", "#777777"}, {"strokeWidth", 1}}},
                            {"encoding", {{"y", line_y}}}});
}

}  // namespace

Json scatter_chart(const std::vector<BandPoint>& data, const std::vector<ArmStyle>& styles, const std::string& x_title,
                   const std::string& y_title, const BandOptions& options) {
  Json chart = band_chart(data, styles, x_title, y_title, options);
  const Json encoding = chart["layer"][1]["encoding"];
  chart["layer"] = Json::array({{{"mark", {{"type", "point"}, {"filled", true}, {"size", 60}, {"tooltip", true}}},
                                 {"encoding", {{"y", encoding["y"]}, {"color", encoding["color"]}}}}});
  chart["layer"][0]["encoding"]["color"]["legend"].erase("symbolType");
  chart["layer"][0]["encoding"]["color"]["legend"]["symbolSize"] = 60;
  chart["layer"][0]["encoding"]["y"]["scale"]["zero"] = false;
  if (options.diagonal && !data.empty()) add_diagonal(chart, data);
  return chart;
}

Json panels(const std::vector<Panel>& charts, size_t columns) {
  Json all = Json::array();
  for (const auto& [title, chart] : charts) {
    Json panel = chart;
    panel.erase("$schema");
    panel["title"] = title;
    panel["width"] = 330;
    panel["height"] = 240;
    all.push_back(std::move(panel));
  }
  return {{"$schema", kSchema}, {"columns", columns}, {"concat", all}};
}

Json ridge_chart(const std::vector<Ridge>& ridges, const std::vector<std::string>& panels, size_t columns,
                 const std::string& x_title, const std::string& row_title) {
  Json charts = Json::array();
  for (const auto& panel : panels) charts.push_back(ridge_panel(ridges, panel, x_title, row_title));
  return {{"$schema", kSchema}, {"columns", columns}, {"concat", charts}};
}

}  // namespace bnlab
