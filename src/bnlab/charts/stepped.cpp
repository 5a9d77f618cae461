#include "bnlab/charts/stepped.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "bnlab/charts/panels.h"
#include "bnlab/charts/specification.h"

namespace bnlab {
namespace {

using Places = std::vector<std::pair<double, double>>;

struct Bounds {
  double low = INFINITY, high = -INFINITY;
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  Bounds widened() const {
    const double room = high > low ? 0.05 * (high - low) : 0.5;
    return {low - room, high + room};
  }
  bool holds(double value) const { return value >= low && value <= high; }
};

/// The ends of the part of a line that lies within the bounds; fewer than two if there is none.
Places within(const SteppedFrame::Line& line, const Bounds& x, const Bounds& y) {
  Places ends;
  const auto add = [&](double at_x, double at_y) {
    if (!x.holds(at_x) || !y.holds(at_y)) return;
    if (ends.empty() || (ends.size() == 1 && ends[0] != std::pair{at_x, at_y})) ends.emplace_back(at_x, at_y);
  };
  for (const double side : {x.low, x.high}) add(side, -(line.a * side + line.c) / line.b);
  for (const double side : {y.low, y.high}) add(-(line.b * side + line.c) / line.a, side);
  return ends;
}

/// Fewer digits, a smaller report; a thousandth of the frame cannot be seen.
double rounded(double value, const Bounds& bounds) {
  const double unit = std::pow(10, std::floor(std::log10(bounds.high - bounds.low)) - 3);
  return std::round(value / unit) * unit;
}

Json place(int64_t step, const std::string& arm, double x, double y) {
  return {{"step", step}, {"arm", arm}, {"x", x}, {"y", y}};
}

/// A layer with data of its own; `moving`: it shows the step that the slider has.
Json stepped_layer(const Json& values, const Json& mark, const Json& encoding, bool moving) {
  Json layer = {{"data", {{"values", values}}}, {"mark", mark}, {"encoding", encoding}};
  if (moving) layer["transform"] = Json::array({{{"filter", "datum.step == step"}}});
  return layer;
}

/// The frames without points that cannot be drawn; the others widen the bounds.
std::vector<SteppedFrame> drawable(std::vector<SteppedFrame> frames, Bounds& x, Bounds& y, charts::LeftOut& left_out) {
  for (SteppedFrame& frame : frames) {
    std::erase_if(frame.points, [&](const auto& p) { return !left_out.draws(p.x, false, p.y, false); });
    for (const auto& point : frame.points) {
      x.add(point.x);
      y.add(point.y);
    }
  }
  return frames;
}

Json panel_of(const std::vector<SteppedFrame>& drawn, const Bounds& x, const Bounds& y,
              const std::vector<ArmStyle>& styles, const std::string& x_title, const std::string& y_title,
              charts::LeftOut& left_out) {
  const auto has_points = [](const SteppedFrame& frame) { return !frame.points.empty(); };
  if (std::none_of(drawn.begin(), drawn.end(), has_points)) return charts::no_data(y_title, left_out);
  Json points = Json::array(), lines = Json::array(), start = Json::array(), path = Json::array();
  std::vector<std::string> arms;
  for (const SteppedFrame& frame : drawn) {
    double mean_x = 0, mean_y = 0;
    for (const auto& point : frame.points) {
      arms.push_back(point.arm);
      points.push_back(place(frame.step, point.arm, rounded(point.x, x), rounded(point.y, y)));
      if (&frame == &drawn.front()) start.push_back(points.back());
      mean_x += point.x / static_cast<double>(frame.points.size());
      mean_y += point.y / static_cast<double>(frame.points.size());
    }
    path.push_back(place(frame.step, "", mean_x, mean_y));
    for (const auto& line : frame.lines) {
      arms.push_back(line.arm);
      const Places ends = within(line, x, y);
      if (ends.size() < 2) left_out.outside();
      for (const auto& [at_x, at_y] : ends) lines.push_back(place(frame.step, line.arm, at_x, at_y));
    }
  }
  const auto names = charts::names_in_order(arms, [](const std::string& arm) -> const std::string& { return arm; });
  const auto [color, dash] = charts::by_arm(styles, names, true);
  Json across = charts::channel("x", x_title, false), up = charts::channel("y", y_title, false);
  for (auto& [axis, bounds] : {std::pair{&across, x}, std::pair{&up, y}}) {
    (*axis)["scale"].update({{"domain", {bounds.low, bounds.high}}, {"nice", false}, {"zero", false}});
  }
  const Json plain = {{"x", across}, {"y", up}};
  Json path_places = plain, point_places = plain, line_places = plain;
  path_places["order"] = {{"field", "step"}, {"type", "quantitative"}};
  point_places["color"] = line_places["color"] = color;
  line_places["strokeDash"] = dash;
  const Json dot = {{"type", "point"}, {"filled", true}};
  Json grey = dot, bright = dot;
  grey.update({{"size", 16}, {"opacity", 0.3}, {"color", colors::kGrey}});
  bright.update({{"size", 28}, {"opacity", 0.8}});
  return charts::finished(
      {{"width", "container"},
       {"height", 320},
       {"layer",
        {stepped_layer(start, grey, plain, false),
         stepped_layer(path, {{"type", "line"}, {"color", colors::kFaint}, {"strokeWidth", 1.5}}, path_places, false),
         stepped_layer(points, bright, point_places, true),
         stepped_layer(lines, {{"type", "line"}, {"strokeWidth", 2}}, line_places, true)}}},
      left_out);
}

}  // namespace

Json stepped_chart(const std::vector<SteppedPanel>& shown, const std::vector<ArmStyle>& styles,
                   const std::string& x_title, const std::string& y_title, size_t columns) {
  Bounds x, y;
  std::vector<charts::LeftOut> left_out(shown.size());
  std::vector<std::vector<SteppedFrame>> drawn;
  std::vector<int64_t> steps;
  for (size_t i = 0; i < shown.size(); ++i) {
    drawn.push_back(drawable(shown[i].frames, x, y, left_out[i]));
    if (!steps.empty()) continue;
    for (const SteppedFrame& frame : shown[i].frames) steps.push_back(frame.step);
  }
  std::vector<Panel> all;
  for (size_t i = 0; i < shown.size(); ++i) {
    all.push_back(
        {shown[i].title, panel_of(drawn[i], x.widened(), y.widened(), styles, x_title, y_title, left_out[i])});
  }
  if (steps.size() < 2) return charts::no_data(y_title, {});
  Json chart = panels(all, columns);
  chart["params"] = Json::array({{{"name", "step"},
                                  {"value", steps[steps.size() / 4]},
                                  {"bind",
                                   {{"input", "range"},
                                    {"name", "training step "},
                                    {"min", steps.front()},
                                    {"max", steps.back()},
                                    {"step", steps[1] - steps[0]}}}}});
  return chart;
}

}  // namespace bnlab
