#include "bnlab/charts/histogram.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "bnlab/charts/panels.h"
#include "bnlab/charts/specification.h"

namespace bnlab {
namespace {

using charts::channel;
using charts::tip;

using Samples = std::vector<HistogramSample>;

/// Bins of equal width, in x or in its logarithm.
class Bins {
 public:
  Bins(double low, double high, const HistogramOptions& options)
      : low_(place(low, options.log_x)), high_(place(high, options.log_x)), n_(options.bins), log_(options.log_x) {}

  size_t size() const { return n_; }
  double edge(size_t i) const {
    const double at = low_ + (high_ - low_) * static_cast<double>(i) / static_cast<double>(n_);
    return log_ ? std::pow(10, at) : at;
  }
  /// The bin of a value, or size() if it lies in none.
  size_t bin_of(double value) const {
    const double at = (place(value, log_) - low_) / (high_ - low_) * static_cast<double>(n_);
    if (!(at >= 0 && at <= static_cast<double>(n_))) return n_;
    return std::min(static_cast<size_t>(at), n_ - 1);
  }

 private:
  static double place(double value, bool log) { return log ? std::log10(value) : value; }
  double low_, high_;
  size_t n_;
  bool log_;
};

void check(const HistogramOptions& options) {
  if (options.bins == 0) throw std::invalid_argument("histogram_chart: the number of bins is 0; give at least 1");
  if (!options.range) return;
  const auto [low, high] = *options.range;
  if (!(low < high) || !std::isfinite(low) || !std::isfinite(high) || (options.log_x && !(low > 0))) {
    throw std::invalid_argument(
        fmt::format("histogram_chart: no histogram can run from {} to {}; give a finite range with its lower end first"
                    ", above 0 on a logarithmic axis",
                    low, high));
  }
}

/// What can be drawn of the panel's samples.
Samples drawable(const Samples& samples, const std::string& panel, bool log_x, charts::LeftOut& left_out) {
  Samples kept;
  for (const auto& sample : samples) {
    if (sample.panel != panel) continue;
    auto& one = kept.emplace_back(HistogramSample{sample.panel, sample.arm, {}});
    for (const double value : sample.values) {
      if (left_out.draws(value, log_x)) one.values.push_back(value);
    }
    if (one.values.empty()) kept.pop_back();
  }
  return kept;
}

Bins bins_over(const Samples& samples, const HistogramOptions& options) {
  if (options.range) return {options.range->first, options.range->second, options};
  double low = INFINITY, high = -INFINITY;
  for (const auto& sample : samples) {
    const auto [least, most] = std::minmax_element(sample.values.begin(), sample.values.end());
    low = std::min(low, *least);
    high = std::max(high, *most);
  }
  if (high > low) return {low, high, options};
  if (options.log_x) return {low / 2, low * 2, options};
  const double room = std::max(0.5, std::abs(low) * 1e-6);
  return {low - room, low + room, options};
}

/// Heights of one arm's bins, as steps: at each edge the height of the bin that begins there. `least`: the smallest
/// height that a logarithmic axis shows.
Json steps(const HistogramSample& sample, const Bins& bins, double unit, double least, charts::LeftOut& left_out) {
  std::vector<double> counts(bins.size(), 0.0);
  for (const double value : sample.values) {
    const size_t bin = bins.bin_of(value);
    if (bin < bins.size()) {
      counts[bin] += 1;
    } else {
      left_out.outside();
    }
  }
  Json values = Json::array();
  for (size_t i = 0; i <= bins.size(); ++i) {
    const size_t bin = std::min(i, bins.size() - 1);
    values.push_back({{"arm", sample.arm},
                      {"x", bins.edge(i)},
                      {"to", bins.edge(bin + 1)},
                      {"height", std::max(counts[bin] * unit, least)},
                      {"base", least},
                      {"count", counts[bin]}});
  }
  return values;
}

Json panel_chart(const Samples& samples, const std::vector<ArmStyle>& styles, const std::string& x_title,
                 const HistogramOptions& options, charts::LeftOut& left_out) {
  const Bins bins = bins_over(samples, options);
  double largest = 1;
  for (const auto& sample : samples) largest = std::max(largest, static_cast<double>(sample.values.size()));
  const double least = !options.log_counts ? 0 : options.shares ? 50 / largest : 0.5;
  Json values = Json::array();
  for (const auto& sample : samples) {
    const double unit = options.shares ? 100 / static_cast<double>(sample.values.size()) : 1;
    for (auto& step : steps(sample, bins, unit, least, left_out)) values.push_back(std::move(step));
  }
  Json x = channel("x", x_title, options.log_x, charts::Axis::kWhereDataAre);
  x["scale"].update({{"domain", {bins.edge(0), bins.edge(bins.size())}}, {"nice", false}});
  Json y = channel("height", options.shares ? "share of the values (%)" : "number of values", options.log_counts);
  if (options.log_counts) y["scale"]["domainMin"] = least;
  const auto arms = charts::names_in_order(samples, [](const auto& s) -> const std::string& { return s.arm; });
  const auto [color, dash] = charts::by_arm(styles, arms, true);
  const Json area = {
      {"mark", {{"type", "area"}, {"interpolate", "step-after"}, {"opacity", samples.size() > 1 ? 0.22 : 0.35}}},
      {"encoding", {{"x", x}, {"y", y}, {"y2", {{"field", "base"}}}, {"color", color}}}};
  const Json outline = {{"mark", {{"type", "line"}, {"interpolate", "step-after"}, {"strokeWidth", 1.5}}},
                        {"encoding",
                         {{"x", x},
                          {"y", y},
                          {"color", color},
                          {"strokeDash", dash},
                          {"tooltip", Json::array({tip("arm", "arm"), tip("x", "from", ".4g"), tip("to", "to", ".4g"),
                                                   tip("count", "values")})}}}};
  return charts::finished(
      {{"width", "container"}, {"height", 280}, {"data", {{"values", values}}}, {"layer", {area, outline}}}, left_out);
}

}  // namespace

Json histogram_chart(const Samples& samples, const std::vector<ArmStyle>& styles, const std::string& x_title,
                     const HistogramOptions& options) {
  check(options);
  const auto names = charts::names_in_order(samples, [](const auto& s) -> const std::string& { return s.panel; });
  std::vector<Panel> all;
  for (const auto& name : names) {
    charts::LeftOut left_out;
    const Samples drawn = drawable(samples, name, options.log_x, left_out);
    all.push_back({name, drawn.empty() ? charts::no_data(x_title, left_out)
                                       : panel_chart(drawn, styles, x_title, options, left_out)});
  }
  if (all.empty()) return charts::no_data(x_title, {});
  return all.size() == 1 && names.front().empty() ? all.front().chart : panels(all, options.columns);
}

}  // namespace bnlab
