#include "bnlab/charts/scatter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/charts/specification.h"

namespace bnlab {
namespace {

using charts::channel;
using charts::tip;

struct Range {
  double low = INFINITY, high = -INFINITY;
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

/// The range of both coordinates, a little wider than the points.
Json common_domain(const std::vector<BandPoint>& points, bool log) {
  Range range;
  for (const auto& point : points) {
    range.add(point.x);
    range.add(point.mean);
  }
  if (log) {
    const double room = range.high > range.low ? std::pow(range.high / range.low, 0.03) : 2;
    return {range.low / room, range.high * room};
  }
  const double room = range.high > range.low ? 0.03 * (range.high - range.low) : 0.5;
  return {range.low - room, range.high + room};
}

Json diagonal_layer(const Json& domain, bool log_x, bool log_y) {
  Json x = channel("x", "", log_x), y = channel("y", "", log_y);
  for (Json* axis : {&x, &y}) {
    (*axis)["scale"]["domain"] = domain;
    axis->erase("title");
  }
  return {{"data", {{"values", {{{"x", domain[0]}, {"y", domain[0]}}, {{"x", domain[1]}, {"y", domain[1]}}}}}},
          {"mark", {{"type", "line"}, {"color", colors::kFaint}, {"strokeWidth", 1}}},
          {"encoding", {{"x", x}, {"y", y}}}};
}

/// Least-squares line of y over x in the axes as drawn.
class Fit {
 public:
  Fit(bool log_x, bool log_y) : log_x_(log_x), log_y_(log_y) {}

  void add(double x, double y) {
    range_.add(x);
    const double u = log_x_ ? std::log10(x) : x, v = log_y_ ? std::log10(y) : y;
    us_.push_back(u);
    vs_.push_back(v);
  }

  /// Ends of the line and its slope as data of a layer; nothing if the points do not determine a line.
  void append_to(Json& values, const std::string& arm) const {
    if (us_.size() < 2 || !(range_.high > range_.low)) return;
    const double n = static_cast<double>(us_.size());
    double u_mean = 0, v_mean = 0, uu = 0, uv = 0;
    for (size_t i = 0; i < us_.size(); ++i) {
      u_mean += us_[i] / n;
      v_mean += vs_[i] / n;
    }
    for (size_t i = 0; i < us_.size(); ++i) {
      uu += (us_[i] - u_mean) * (us_[i] - u_mean);
      uv += (us_[i] - u_mean) * (vs_[i] - v_mean);
    }
    const double slope = uv / uu;
    if (!std::isfinite(slope)) return;
    for (const double x : {range_.low, range_.high}) {
      const double v = v_mean + slope * ((log_x_ ? std::log10(x) : x) - u_mean);
      values.push_back({{"arm", arm},
                        {"x", x},
                        {"y", log_y_ ? std::pow(10, v) : v},
                        {"label", x == range_.high ? fmt::format("slope {:.3g}", slope) : ""}});
    }
  }

 private:
  bool log_x_, log_y_;
  Range range_;
  std::vector<double> us_, vs_;
};

Json fit_values(const std::vector<BandPoint>& points, const std::vector<std::string>& arms,
                const ScatterOptions& options) {
  Json values = Json::array();
  for (const auto& arm : arms) {
    Fit fit(options.log_x, options.log_y);
    for (const auto& point : points) {
      if (point.arm == arm) fit.add(point.x, point.mean);
    }
    fit.append_to(values, arm);
  }
  return values;
}

Json fit_layer(const Json& values, const Json& x, Json y, const Json& color) {
  y["field"] = "y";
  return {
      {"data", {{"values", values}}},
      {"layer",
       {{{"mark", {{"type", "line"}, {"clip", true}, {"strokeWidth", 1.5}, {"opacity", 0.7}}},
         {"encoding", {{"x", x}, {"y", y}, {"color", color}}}},
        {{"mark", {{"type", "text"}, {"align", "right"}, {"baseline", "bottom"}, {"dy", -6}, {"fontSize", 11}}},
         {"encoding", {{"x", x}, {"y", y}, {"color", color}, {"text", {{"field", "label"}, {"type", "nominal"}}}}}}}}};
}

}  // namespace

Json scatter_chart(const std::vector<BandPoint>& data, const std::vector<ArmStyle>& styles, const std::string& x_title,
                   const std::string& y_title, const ScatterOptions& options) {
  charts::LeftOut left_out;
  std::vector<BandPoint> points;
  Json values = Json::array();
  for (const auto& point : data) {
    if (!left_out.draws(point.x, options.log_x, point.mean, options.log_y)) continue;
    points.push_back(point);
    values.push_back({{"arm", point.arm}, {"x", point.x}, {"mean", point.mean}});
  }
  if (points.empty()) return charts::no_data(y_title, left_out);
  const auto arms = charts::names_in_order(points, [](const auto& p) -> const std::string& { return p.arm; });
  const Json color = charts::by_arm(styles, arms, false).color;
  constexpr auto kWhereDataAre = charts::Axis::kWhereDataAre;
  Json x = channel("x", x_title, options.log_x, kWhereDataAre),
       y = channel("mean", y_title, options.log_y, kWhereDataAre);
  Json layers = Json::array();
  if (options.diagonal) {
    const Json domain = common_domain(points, options.log_x || options.log_y);
    x["scale"]["domain"] = y["scale"]["domain"] = domain;
    x["scale"]["nice"] = y["scale"]["nice"] = false;
    layers.push_back(diagonal_layer(domain, options.log_x, options.log_y));
  }
  layers.push_back(
      {{"mark", {{"type", "point"}, {"filled", true}, {"size", 45}, {"opacity", 0.75}}},
       {"encoding",
        {{"x", x},
         {"y", y},
         {"color", color},
         {"tooltip", Json::array({tip("arm", "arm"), tip("x", x_title, ".4g"), tip("mean", y_title, ".4g")})}}}});
  if (options.fit) {
    if (const Json lines = fit_values(points, arms, options); !lines.empty()) {
      layers.push_back(fit_layer(lines, x, y, color));
    }
  }
  return charts::finished({{"width", "container"}, {"height", 320}, {"data", {{"values", values}}}, {"layer", layers}},
                          left_out);
}

}  // namespace bnlab
