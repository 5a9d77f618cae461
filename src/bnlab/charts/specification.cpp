#include "bnlab/charts/specification.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace bnlab {
namespace {

constexpr char kSchema[] = "https://vega.github.io/schema/vega-lite/v6.json";

/// Adds to `dark` every colour in the specification; data are left alone.
void collect_colors(const Json& part, Json& dark) {
  if (part.is_string()) {
    const std::string text = part;
    if (const std::string other = on_dark(text); other != text) dark[text] = other;
  }
  if (!part.is_structured()) return;
  for (const auto& [key, value] : part.items()) {
    if (!part.is_object() || (key != "data" && key != "usermeta")) collect_colors(value, dark);
  }
}

std::string counted(size_t n, const char* one, const char* many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

}  // namespace

std::vector<std::string> notes_of(const Json& chart) {
  const Json::json_pointer place("/usermeta/notes");
  return chart.contains(place) ? chart.at(place).get<std::vector<std::string>>() : std::vector<std::string>{};
}

namespace charts {

bool LeftOut::draws(double value, bool log) {
  if (!std::isfinite(value)) {
    ++not_finite_;
    return false;
  }
  if (log && !(value > 0)) {
    ++not_positive_;
    return false;
  }
  return true;
}

bool LeftOut::draws(double x, bool log_x, double y, bool log_y) {
  return draws(x, log_x) && draws(y, log_y);
}

Json LeftOut::sentences() const {
  Json all = Json::array();
  const auto say = [&](size_t n, const char* one, const char* many) {
    if (n > 0) all.push_back(counted(n, one, many));
  };
  say(not_finite_, "value is not finite and is left out.", "values are not finite and are left out.");
  say(not_positive_, "value of 0 or below is left out: the axis is logarithmic.",
      "values of 0 or below are left out: the axis is logarithmic.");
  say(open_, "interval is not finite: only its value is drawn.",
      "intervals are not finite: only their values are drawn.");
  say(cut_, "interval reaches to 0 or below, which a logarithmic axis cannot show: it is cut at the lowest value.",
      "intervals reach to 0 or below, which a logarithmic axis cannot show: they are cut at the lowest value.");
  say(outside_, "value lies outside of the range that is drawn.", "values lie outside of the range that is drawn.");
  return all;
}

Drawn drawn_interval(double value, double low, double high, bool log, double floor, LeftOut& left_out) {
  if (!std::isfinite(low) || !std::isfinite(high)) {
    left_out.open_interval();
    return {value, value};
  }
  if (log && !(low > 0)) {
    left_out.cut_interval();
    return {floor, std::max(high, floor)};
  }
  return {low, high};
}

Json channel(const std::string& field, const std::string& title, bool log, Axis axis) {
  Json scale = {{"type", log ? "log" : "linear"}};
  if (!log && axis == Axis::kWhereDataAre) scale["zero"] = false;
  return {
      {"field", field}, {"type", "quantitative"}, {"title", title.empty() ? Json() : Json(title)}, {"scale", scale}};
}

ArmEncoding by_arm(const std::vector<ArmStyle>& styles, const std::vector<std::string>& arms_of_data, bool lines) {
  std::vector<ArmStyle> all = styles;
  std::vector<std::string> unknown;
  for (const auto& arm : arms_of_data) {
    if (std::none_of(styles.begin(), styles.end(), [&](const ArmStyle& s) { return s.arm == arm; })) {
      unknown.push_back(arm);
    }
  }
  for (auto& style : styles_for(unknown)) all.push_back(std::move(style));
  Json names = Json::array(), shades = Json::array(), dashes = Json::array();
  for (const auto& style : all) {
    names.push_back(style.arm);
    shades.push_back(style.color);
    dashes.push_back(style.dash.empty() ? Json{1, 0} : Json(style.dash));
  }
  Json legend = {{"orient", "bottom"}, {"columns", 2}, {"labelLimit", 320}, {"title", nullptr}};
  if (lines) {
    legend.update({{"symbolType", "stroke"}, {"symbolSize", 500}, {"symbolStrokeWidth", 2}});
  } else {
    legend.update({{"symbolType", "circle"}, {"symbolSize", 60}});
  }
  const auto encoding = [&](const Json& range) {
    return Json{
        {"field", "arm"}, {"type", "nominal"}, {"scale", {{"domain", names}, {"range", range}}}, {"legend", legend}};
  };
  return {encoding(shades), encoding(dashes)};
}

Json tip(const std::string& field, const std::string& title, const std::string& format) {
  Json line = {{"field", field}, {"title", title}};
  if (!format.empty()) line.update({{"type", "quantitative"}, {"format", format}});
  return line;
}

Json reference_layer(const ReferenceLine& line, const std::string& channel, bool log) {
  const Json place = {{"datum", line.value}, {"type", "quantitative"}, {"scale", {{"type", log ? "log" : "linear"}}}};
  Json layers = {{{"mark", {{"type", "rule"}, {"color", colors::kInk}, {"strokeDash", {4, 3}}, {"strokeWidth", 1}}},
                  {"encoding", {{channel, place}}}}};
  if (!line.label.empty()) {
    Json text = {{"type", "text"}, {"text", line.label}, {"color", colors::kInk}, {"fontSize", 11}};
    // At the right end above a level line, at the upper end beside an upright one.
    if (channel == "y") {
      text.update({{"align", "right"}, {"baseline", "bottom"}, {"dy", -3}, {"x", "width"}});
    } else {
      text.update({{"align", "left"}, {"baseline", "bottom"}, {"dx", 4}, {"y", 0}, {"dy", -2}});
    }
    layers.push_back({{"mark", text}, {"encoding", {{channel, place}}}});
  }
  return {{"data", {{"values", Json::array({Json::object()})}}}, {"layer", layers}};
}

Json finished(Json chart, const LeftOut& left_out, const Json& dark) {
  Json all = Json::object();
  collect_colors(chart, all);
  all.update(dark);
  chart["$schema"] = kSchema;
  chart["usermeta"] = {{"notes", left_out.sentences()}, {"dark", all}};
  return chart;
}

Json no_data(const std::string& of_what, const LeftOut& left_out) {
  const std::string text = of_what.empty() ? "no data" : "no data: " + of_what;
  return finished({{"width", "container"},
                   {"height", 60},
                   {"data", {{"values", Json::array({Json::object()})}}},
                   {"mark", {{"type", "text"}, {"text", text}, {"color", colors::kFaint}, {"fontSize", 13}}}},
                  left_out);
}

}  // namespace charts
}  // namespace bnlab
