#include "bnlab/charts/band.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "bnlab/charts/specification.h"

namespace bnlab {
namespace {

using charts::channel;
using charts::tip;

std::vector<BandPoint> drawable(const std::vector<BandPoint>& data, const BandOptions& options,
                                charts::LeftOut& left_out) {
  std::vector<BandPoint> kept;
  double floor = INFINITY;
  for (const auto& point : data) {
    if (!left_out.draws(point.x, options.log_x, point.mean, options.log_y)) continue;
    kept.push_back(point);
    for (const double value : {point.mean, point.low}) {
      if (value > 0) floor = std::min(floor, value);
    }
  }
  for (auto& point : kept) {
    const auto [low, high] = charts::drawn_interval(point.mean, point.low, point.high, options.log_y, floor, left_out);
    point.low = low;
    point.high = high;
  }
  return kept;
}

/// Whether an arm has a single point, which a line alone would not show.
bool has_lone_point(const std::vector<BandPoint>& points) {
  std::map<std::string, size_t> of_arm;
  for (const auto& point : points) ++of_arm[point.arm];
  return std::any_of(of_arm.begin(), of_arm.end(), [](const auto& entry) { return entry.second == 1; });
}

}  // namespace

Json band_chart(const std::vector<BandPoint>& data, const std::vector<ArmStyle>& styles, const std::string& x_title,
                const std::string& y_title, const BandOptions& options) {
  charts::LeftOut left_out;
  const auto points = drawable(data, options, left_out);
  if (points.empty()) return charts::no_data(y_title, left_out);
  Json values = Json::array();
  for (const auto& point : points) {
    values.push_back(
        {{"arm", point.arm}, {"x", point.x}, {"mean", point.mean}, {"low", point.low}, {"high", point.high}});
  }
  const auto arms = charts::names_in_order(points, [](const auto& p) -> const std::string& { return p.arm; });
  const auto [color, dash] = charts::by_arm(styles, arms, true);
  const Json band = {
      {"mark", {{"type", "area"}, {"opacity", 0.18}}},
      {"encoding", {{"y", channel("low", y_title, options.log_y)}, {"y2", {{"field", "high"}}}, {"color", color}}}};
  const bool symbols = options.points || has_lone_point(points);
  const Json line = {
      {"mark", {{"type", "line"}, {"strokeWidth", 2}, {"point", symbols ? Json{{"size", 30}} : Json(false)}}},
      {"encoding",
       {{"y", channel("mean", y_title, options.log_y)},
        {"color", color},
        {"strokeDash", dash},
        {"tooltip", Json::array({tip("arm", "arm"), tip("x", x_title), tip("mean", y_title, ".4g"),
                                 tip("low", "band from", ".4g"), tip("high", "band to", ".4g")})}}}};
  return charts::finished({{"width", "container"},
                           {"height", 300},
                           {"data", {{"values", values}}},
                           {"encoding", {{"x", channel("x", x_title, options.log_x)}}},
                           {"layer", {band, line}}},
                          left_out);
}

}  // namespace bnlab
