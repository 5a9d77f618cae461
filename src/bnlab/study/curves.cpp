#include "bnlab/study/curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/study/measures.h"

namespace bnlab {
namespace {

constexpr size_t kPoints = 100;

/// The values of a scalar at each step, over runs. A step counts if every run that has not diverged by then has a value
/// there, so that curves do not jump; values that are not finite are left out.
std::map<int64_t, std::vector<double>> by_step(const std::vector<RunReader*>& runs, const Key& key) {
  std::map<int64_t, std::vector<double>> values;
  std::map<int64_t, size_t> rows;
  std::vector<int64_t> ends;  // of the runs that diverged
  for (RunReader* run : runs) {
    if (const int64_t end = run->diverged_at(); end >= 0) ends.push_back(end);
    const Series series = run->scalars(key);
    for (size_t i = 0; i < series.steps.size(); ++i) {
      ++rows[series.steps[i]];
      if (std::isfinite(series.values[i])) values[series.steps[i]].push_back(series.values[i]);
    }
  }
  std::erase_if(values, [&](const auto& entry) {
    const auto dead = std::count_if(ends.begin(), ends.end(), [&](int64_t end) { return entry.first >= end; });
    return rows[entry.first] < runs.size() - static_cast<size_t>(dead);
  });
  return values;
}

}  // namespace

std::vector<BandPoint> accuracy_curves(const ArmRuns& runs, const std::vector<Arm>& arms, size_t width) {
  std::vector<BandPoint> points;
  for (const Arm& arm : arms) {
    std::vector<std::vector<double>> curves;
    for (RunReader* run : runs.of(arm)) curves.push_back(smoothed(training_accuracy(*run, runs.classes()), width));
    if (curves.empty()) continue;
    const size_t last = curves.front().size() - 1;
    for (size_t k = 0; k <= kPoints; ++k) {
      const size_t step = k * last / kPoints;
      std::vector<double> values;
      for (const auto& curve : curves) values.push_back(100 * curve.at(step));
      points.push_back(band_point(arm.name(), static_cast<double>(step), values));
    }
  }
  return points;
}

std::vector<BandPoint> loss_curves(const ArmRuns& runs, const std::vector<Arm>& arms) {
  std::vector<BandPoint> points;
  for (const Arm& arm : arms) {
    const auto losses = by_step(runs.of(arm), {"train", 0, "loss"});
    if (losses.empty()) continue;
    const int64_t every = std::max<int64_t>(1, (losses.rbegin()->first + 1) / static_cast<int64_t>(kPoints));
    for (const auto& [step, values] : losses) {
      if (step % every == 0) points.push_back(band_point(arm.name(), static_cast<double>(step), values));
    }
  }
  return points;
}

std::vector<BandPoint> curves(const ArmRuns& runs, const std::vector<Arm>& arms, const Key& key) {
  std::vector<BandPoint> points;
  for (const Arm& arm : arms) {
    for (const auto& [step, values] : by_step(runs.of(arm), key)) {
      points.push_back(band_point(arm.name(), static_cast<double>(step), values));
    }
  }
  return points;
}

std::vector<BandPoint> ranges(const ArmRuns& runs, const std::vector<Arm>& arms, const Key& low, const Key& middle,
                              const Key& high) {
  std::vector<BandPoint> points;
  for (const Arm& arm : arms) {
    const auto lows = by_step(runs.of(arm), low), middles = by_step(runs.of(arm), middle),
               highs = by_step(runs.of(arm), high);
    for (const auto& [step, values] : lows) {
      if (!middles.count(step) || !highs.count(step)) continue;
      points.push_back(
          {arm.name(), static_cast<double>(step), mean_of(middles.at(step)), mean_of(values), mean_of(highs.at(step))});
    }
  }
  return points;
}

BandPoint band_point(const std::string& arm, double x, const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {arm, x, mean_of(values), *low, *high};
}

Figure training_figure(const std::string& id, const ArmRuns& runs, const std::vector<Arm>& arms, int64_t steps,
                       const std::string& what_to_see) {
  const size_t width = std::max<size_t>(1, static_cast<size_t>(steps) / 16);
  return {
      id, "Training accuracy",
      fmt::format("Share of each batch that the network gets right while it trains (average over the last {} steps; "
                  "line: mean over seeds, band: lowest to highest seed). Guessing would give {} %. {}",
                  width, 100 / runs.classes(), what_to_see),
      band_chart(accuracy_curves(runs, arms, width), styles_of(arms), "training step", "training accuracy (%)")};
}

Json activation_ridges(const ArmRuns& runs, const std::vector<Arm>& arms, const std::vector<int64_t>& layers,
                       const std::string& name) {
  std::vector<Ridge> ridges;
  std::vector<std::string> titles;
  for (const int64_t layer : layers) {
    for (const Arm& arm : arms) {
      titles.push_back(fmt::format("layer #{}, {}", layer, arm.name()));
      if (runs.of(arm).empty()) continue;
      for (const auto& record : runs.of(arm).front()->arrays({"activations", layer, name})) {
        ridges.push_back({titles.back(), static_cast<double>(record.step), record.as_doubles()});
      }
    }
  }
  constexpr size_t kMostColumns = 3;  // more would be too narrow to see
  return ridge_chart(ridges, titles, std::min(arms.size(), kMostColumns), "activation (input of the ReLU)",
                     "training step");
}

std::vector<HeatCell> shades(const ArrayRecord& image) {
  const std::vector<double> values = image.as_doubles();
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const double range = *most > *least ? *most - *least : 1;
  const auto width = static_cast<size_t>(image.shape.at(1));
  std::vector<HeatCell> cells;
  for (size_t i = 0; i < values.size(); ++i) {
    const double share = std::round(1000 * (values[i] - *least) / range) / 1000;  // fewer digits, a smaller report
    cells.push_back({std::to_string(i / width), std::to_string(i % width), share});
  }
  return cells;
}

}  // namespace bnlab
