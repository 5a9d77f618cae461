#include "bnlab/charts/strip.h"

#include <cmath>

#include "bnlab/charts/specification.h"
#include "bnlab/record/statistics.h"

namespace bnlab {
namespace {

using charts::channel;
using charts::tip;

constexpr int kRowHeight = 30, kRowGap = 14;

const std::string& category_of(const SeedValue& v) {
  return v.category;
}
const std::string& arm_of(const SeedValue& v) {
  return v.arm;
}

/// Mean and interval of each category and arm.
Json summaries(const std::vector<SeedValue>& values, bool log) {
  Json all = Json::array();
  for (const auto& category : charts::names_in_order(values, category_of)) {
    for (const auto& arm : charts::names_in_order(values, arm_of)) {
      std::vector<double> sample;
      for (const auto& v : values) {
        if (v.category == category && v.arm == arm) sample.push_back(log ? std::log(v.value) : v.value);
      }
      if (sample.empty()) continue;
      const PairedInterval interval = paired_interval(sample);
      const auto back = [&](double at) { return log ? std::exp(at) : at; };
      const bool bounded = std::isfinite(back(interval.low)) && std::isfinite(back(interval.high));
      all.push_back({{"category", category},
                     {"arm", arm},
                     {"mean", back(interval.mean)},
                     {"low", back(bounded ? interval.low : interval.mean)},
                     {"high", back(bounded ? interval.high : interval.mean)},
                     {"seeds", sample.size()}});
    }
  }
  return all;
}

class Chart {
 public:
  Chart(const std::vector<SeedValue>& values, const std::vector<ArmStyle>& styles, const std::string& category_title,
        const std::string& value_title, const StripOptions& options)
      : options_(options), category_title_(category_title), value_title_(value_title) {
    for (const auto& v : values) {
      seeds_.push_back({{"category", v.category}, {"arm", v.arm}, {"seed", v.seed}, {"value", v.value}});
    }
    summaries_ = summaries(values, options.log);
    categories_ = charts::names_in_order(values, category_of);
    arms_ = charts::names_in_order(values, arm_of);
    color_ = charts::by_arm(styles, arms_, false).color;
    // Without categories the rows name the arms already.
    if (!has_categories()) color_["legend"] = nullptr;
  }

  Json make() const {
    Json layers = {interval_layer(), mean_layer(), seed_layer()};
    if (options_.reference) {
      layers.push_back(charts::reference_layer({*options_.reference, options_.reference_label}, "x", options_.log));
    }
    const size_t height = has_categories() ? categories_.size() * (arms_.size() * 22 + kRowGap)
                                           : arms_.size() * (kRowHeight + kRowGap / 2);
    return {{"width", "container"}, {"height", height}, {"data", {{"values", seeds_}}}, {"layer", layers}};
  }

 private:
  bool has_categories() const { return categories_.size() > 1 || !categories_.front().empty(); }

  Json encoding(const std::string& field) const {
    const Json x = channel(field, value_title_, options_.log, charts::Axis::kWhereDataAre);
    Json row = {{"field", has_categories() ? "category" : "arm"},
                {"type", "nominal"},
                {"sort", nullptr},
                {"title", category_title_.empty() || !has_categories() ? Json() : Json(category_title_)},
                {"scale", {{"domain", has_categories() ? categories_ : arms_}, {"paddingInner", 0.2}}},
                {"axis", {{"labelLimit", 260}, {"ticks", false}, {"domain", false}, {"grid", false}}}};
    Json channels = {{"x", x}, {"y", row}, {"color", color_}};
    if (has_categories()) channels["yOffset"] = {{"field", "arm"}, {"scale", {{"domain", arms_}}}};
    return channels;
  }

  Json summary_tips() const {
    return {tip("arm", "arm"), tip("mean", options_.log ? "mean of the logarithms" : "mean", ".4g"),
            tip("low", "95 % interval from", ".4g"), tip("high", "95 % interval to", ".4g"), tip("seeds", "seeds")};
  }
  Json interval_layer() const {
    Json channels = encoding("low");
    channels["x2"] = {{"field", "high"}};
    channels["tooltip"] = summary_tips();
    return {{"data", {{"values", summaries_}}},
            {"mark", {{"type", "rule"}, {"strokeWidth", 9}, {"opacity", 0.25}}},
            {"encoding", channels}};
  }
  Json mean_layer() const {
    Json channels = encoding("mean");
    channels["tooltip"] = summary_tips();
    return {{"data", {{"values", summaries_}}},
            {"mark", {{"type", "tick"}, {"orient", "vertical"}, {"thickness", 3}, {"size", 18}}},
            {"encoding", channels}};
  }
  Json seed_layer() const {
    Json channels = encoding("value");
    channels["tooltip"] = {tip("arm", "arm"), tip("seed", "seed"), tip("value", value_title_, ".4g")};
    return {{"mark",
             {{"type", "point"},
              {"filled", true},
              {"size", 38},
              {"opacity", 0.85},
              {"stroke", colors::kPaper},
              {"strokeWidth", 0.8}}},
            {"encoding", channels}};
  }

  StripOptions options_;
  std::string category_title_, value_title_;
  std::vector<std::string> categories_, arms_;
  Json seeds_ = Json::array(), summaries_, color_;
};

}  // namespace

Json strip_chart(const std::vector<SeedValue>& values, const std::vector<ArmStyle>& styles,
                 const std::string& category_title, const std::string& value_title, const StripOptions& options) {
  charts::LeftOut left_out;
  std::vector<SeedValue> drawn;
  for (const auto& v : values) {
    if (left_out.draws(v.value, options.log)) drawn.push_back(v);
  }
  if (drawn.empty()) return charts::no_data(value_title, left_out);
  return charts::finished(Chart(drawn, styles, category_title, value_title, options).make(), left_out);
}

}  // namespace bnlab
