#include "bnlab/charts/bars.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "bnlab/charts/specification.h"

namespace bnlab {
namespace {

using charts::channel;
using charts::tip;

std::vector<Bar> drawable(const std::vector<Bar>& bars, const BarOptions& options, charts::LeftOut& left_out) {
  std::vector<Bar> kept;
  double floor = options.log && options.from ? *options.from : INFINITY;
  for (const auto& bar : bars) {
    if (!left_out.draws(bar.value, options.log)) continue;
    kept.push_back(bar);
    for (const double value : {bar.value, bar.low}) {
      if (value > 0) floor = std::min(floor, value);
    }
  }
  for (auto& bar : kept) {
    const auto [low, high] = charts::drawn_interval(bar.value, bar.low, bar.high, options.log, floor, left_out);
    bar.low = low;
    bar.high = high;
  }
  return kept;
}

class Chart {
 public:
  Chart(const std::vector<Bar>& bars, const std::vector<ArmStyle>& styles, const std::string& category_title,
        const std::string& value_title, const BarOptions& options)
      : options_(options), along_(options.horizontal ? "x" : "y"), across_(options.horizontal ? "y" : "x") {
    for (const auto& bar : bars) {
      values_.push_back(
          {{"category", bar.category}, {"arm", bar.arm}, {"value", bar.value}, {"low", bar.low}, {"high", bar.high}});
    }
    categories_ = charts::names_in_order(bars, [](const auto& b) -> const std::string& { return b.category; });
    arms_ = charts::names_in_order(bars, [](const auto& b) -> const std::string& { return b.arm; });
    color_ = charts::by_arm(styles, arms_, false).color;
    color_["legend"]["symbolType"] = has_bars() ? "square" : "circle";
    value_title_ = value_title;
    category_title_ = category_title;
  }

  Json make() const {
    Json layers = {value_layer(), interval_layer()};
    if (options_.reference) {
      layers.push_back(charts::reference_layer({*options_.reference, options_.reference_label}, along_, options_.log));
    }
    const size_t rows = categories_.size() * (arms_.size() * 14 + 10);
    return {{"width", "container"},
            {"height", options_.horizontal ? Json(std::max<size_t>(rows, 60)) : Json(300)},
            {"data", {{"values", values_}}},
            {"layer", layers}};
  }

 private:
  bool has_bars() const { return !options_.log || options_.from.has_value(); }

  Json place() const {
    Json band = {{"field", "category"},
                 {"type", "nominal"},
                 {"sort", nullptr},
                 {"title", category_title_.empty() ? Json() : Json(category_title_)},
                 {"scale", {{"domain", categories_}, {"paddingInner", 0.25}, {"paddingOuter", 0.12}}},
                 {"axis", {{"labelLimit", 260}, {"ticks", false}, {"labelAngle", 0}, {"labelOverlap", true}}}};
    if (options_.horizontal) band["axis"].update({{"domain", false}, {"labelOverlap", false}});
    return band;
  }
  Json offset() const { return {{"field", "arm"}, {"scale", {{"domain", arms_}}}}; }

  Json encoding(const std::string& field) const {
    return {{along_, channel(field, value_title_, options_.log)}, {across_, place()}, {across_ + "Offset", offset()}};
  }

  Json value_layer() const {
    Json mark = has_bars() ? Json{{"type", "bar"}, {"opacity", 0.85}}
                           : Json{{"type", "point"}, {"filled", true}, {"size", 70}, {"opacity", 1}};
    Json channels = encoding("value");
    if (options_.from) channels[along_ + "2"] = {{"datum", *options_.from}};
    channels["color"] = color_;
    channels["tooltip"] = {tip("category", category_title_.empty() ? "category" : category_title_), tip("arm", "arm"),
                           tip("value", value_title_, ".4g"), tip("low", "interval from", ".4g"),
                           tip("high", "interval to", ".4g")};
    return {{"mark", mark}, {"encoding", channels}};
  }

  Json interval_layer() const {
    Json channels = encoding("low");
    channels[along_ + "2"] = {{"field", "high"}};
    Json mark = {{"type", "rule"}, {"strokeWidth", 1.4}};
    if (has_bars()) {
      mark["color"] = colors::kInk;
    } else {
      channels["color"] = color_;
    }
    return {{"mark", mark}, {"encoding", channels}};
  }

  BarOptions options_;
  std::string along_, across_, value_title_, category_title_;
  std::vector<std::string> categories_, arms_;
  Json values_ = Json::array(), color_;
};

}  // namespace

Json bar_chart(const std::vector<Bar>& bars, const std::vector<ArmStyle>& styles, const std::string& category_title,
               const std::string& value_title, const BarOptions& options) {
  if (options.log && options.from && !(*options.from > 0)) {
    throw std::invalid_argument(
        "bar_chart: bars on a logarithmic axis cannot begin at 0 or below; give a `from` above");
  }
  charts::LeftOut left_out;
  const auto drawn = drawable(bars, options, left_out);
  if (drawn.empty()) return charts::no_data(value_title, left_out);
  return charts::finished(Chart(drawn, styles, category_title, value_title, options).make(), left_out);
}

}  // namespace bnlab
