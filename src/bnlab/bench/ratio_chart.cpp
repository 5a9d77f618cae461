#include "bnlab/bench/ratio_chart.h"

#include <fmt/format.h>

#include <algorithm>

#include "bnlab/charts/specification.h"

namespace bnlab::bench {
namespace {

constexpr int kBarHeight = 7, kRowGap = 5, kHeightAround = 60;

double rounded(double value) {
  return std::stod(fmt::format("{:.4g}", value));
}

Json entry(const RatioValue& value) {
  return {{"row", value.row},
          {"series", value.series},
          {"ratio", rounded(value.ratio)},
          {"low", rounded(value.low)},
          {"high", rounded(value.high)},
          {"peer_ms", rounded(value.peer_ms)},
          {"our_ms", rounded(value.our_ms)}};
}

Json quantitative(const char* field) {
  return {{"field", field}, {"type", "quantitative"}, {"scale", {{"type", "log"}}}};
}

class Chart {
 public:
  Chart(const std::vector<RatioValue>& values, const std::vector<RatioSeries>& series, const std::string& x_title)
      : x_title_(x_title) {
    for (const RatioSeries& one : series) {
      names_.push_back(one.name);
      colors_.push_back(one.color);
      (one.is_mark ? marks_ : bars_).push_back(one.name);
    }
    for (const RatioValue& value : values) {
      if (!left_out_.draws(value.ratio, true)) continue;
      values_.push_back(entry(value));
      if (std::find(rows_.begin(), rows_.end(), value.row) == rows_.end()) rows_.push_back(value.row);
    }
  }

  Json make() const {
    return charts::finished({{"width", "container"},
                             {"height", static_cast<int>(rows_.size()) * row_height() + kHeightAround},
                             {"data", {{"values", values_}}},
                             {"layer", {bar_layer(), interval_layer(), mark_layer(), ours_layer()}}},
                            left_out_);
  }

 private:
  int row_height() const { return static_cast<int>(bars_.size()) * kBarHeight + kRowGap; }

  static Json only(const Json& series) { return {{{"filter", {{"field", "series"}, {"oneOf", series}}}}}; }
  Json row() const {
    return {{"field", "row"},
            {"type", "nominal"},
            {"sort", nullptr},
            {"title", nullptr},
            {"axis", {{"labelLimit", 280}, {"ticks", false}, {"domain", false}}}};
  }
  Json bar_of_row() const { return {{"field", "series"}, {"scale", {{"domain", bars_}}}}; }
  Json color() const {
    return {{"field", "series"},
            {"type", "nominal"},
            {"scale", {{"domain", names_}, {"range", colors_}}},
            {"legend", {{"orient", "top"}, {"title", nullptr}, {"symbolType", "square"}, {"labelLimit", 300}}}};
  }
  static Json tooltip() {
    const auto line = [](const char* field, const char* title) { return Json{{"field", field}, {"title", title}}; };
    return {line("row", "batch"),
            line("series", "whose time"),
            line("ratio", "time / bnlab's"),
            line("low", "interval from"),
            line("high", "interval to"),
            line("peer_ms", "its time, ms"),
            line("our_ms", "bnlab's time, ms")};
  }

  Json bar_layer() const {
    Json x = quantitative("ratio");
    x["axis"] = {{"title", x_title_}, {"orient", "top"}};
    return {{"transform", only(bars_)},
            {"mark", {{"type", "bar"}}},
            {"encoding",
             {{"x", x},
              {"x2", {{"datum", 1}}},
              {"y", row()},
              {"yOffset", bar_of_row()},
              {"color", color()},
              {"tooltip", tooltip()}}}};
  }
  Json interval_layer() const {
    return {{"transform", only(bars_)},
            {"mark", {{"type", "rule"}, {"strokeWidth", 1.25}}},
            {"encoding",
             {{"x", quantitative("low")}, {"x2", {{"field", "high"}}}, {"y", row()}, {"yOffset", bar_of_row()}}}};
  }
  Json mark_layer() const {
    return {{"transform", only(marks_)},
            {"mark", {{"type", "tick"}, {"thickness", 3}, {"height", row_height() - kRowGap}}},
            {"encoding", {{"x", quantitative("ratio")}, {"y", row()}, {"color", color()}, {"tooltip", tooltip()}}}};
  }
  static Json ours_layer() {
    return {{"data", {{"values", Json::array({Json::object()})}}},
            {"mark", {{"type", "rule"}, {"strokeDash", {4, 3}}, {"strokeWidth", 1.5}}},
            {"encoding", {{"x", {{"datum", 1}, {"type", "quantitative"}, {"scale", {{"type", "log"}}}}}}}};
  }

  std::string x_title_;
  charts::LeftOut left_out_;
  Json names_ = Json::array(), colors_ = Json::array(), bars_ = Json::array(), marks_ = Json::array();
  Json values_ = Json::array(), rows_ = Json::array();
};

}  // namespace

Json ratio_chart(const std::vector<RatioValue>& values, const std::vector<RatioSeries>& series,
                 const std::string& x_title) {
  return Chart(values, series, x_title).make();
}

}  // namespace bnlab::bench
