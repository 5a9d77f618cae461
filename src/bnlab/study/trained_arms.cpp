#include "bnlab/study/trained_arms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace bnlab {
namespace {

/// The values of a scalar at each step, over runs; only steps that all runs have, so that curves do not jump.
std::map<int64_t, std::vector<double>> by_step(const std::vector<RunReader*>& runs, const Key& key) {
  std::map<int64_t, std::vector<double>> values;
  for (RunReader* run : runs) {
    const Series series = run->scalars(key);
    for (size_t i = 0; i < series.steps.size(); ++i) {
      if (std::isfinite(series.values[i])) values[series.steps[i]].push_back(series.values[i]);
    }
  }
  std::erase_if(values, [&](const auto& entry) { return entry.second.size() < runs.size(); });
  return values;
}

}  // namespace

void add_runs(Plan& plan, const Setting& setting, const std::vector<Arm>& arms) {
  for (const int64_t seed : setting.seeds) {
    for (const Arm& arm : arms) {
      const TrainSpec spec = arm.spec(setting, seed);
      plan.add(arm.name(), seed, fmt::format("{}, {}, seed {}", spec.model.name, arm.name(), seed), spec);
    }
  }
}

std::function<Plan(const Setting& setting)> runs_of(std::vector<Arm> arms, std::vector<Arm> further) {
  return [arms = std::move(arms), further = std::move(further)](const Setting& setting) {
    Plan plan(setting);
    add_runs(plan, setting, arms);
    add_runs(plan, setting, further);
    return plan;
  };
}

std::vector<RunReader*> stored_runs(const Setting& setting, Results& results, const std::string& arm) {
  std::vector<RunReader*> runs;
  for (const int64_t seed : setting.seeds) {
    if (RunReader* run = results.find(arm, seed)) runs.push_back(run);
  }
  return runs;
}

TrainedArms::TrainedArms(const Setting& setting, Results& results, const std::vector<Arm>& arms)
    : setting_(setting), results_(results) {
  for (const Arm& arm : arms) runs_[arm.name()] = stored_runs(setting, results, arm.name());
}

std::vector<double> TrainedArms::accuracy(const std::string& arm, const Window& window) const {
  std::vector<double> means;
  for (RunReader* run : runs(arm)) {
    means.push_back(mean_over(training_accuracy(*run, setting_.data.shape.classes), window));
  }
  return means;
}

std::vector<double> TrainedArms::mean(const std::string& arm, const Key& key, const Window& window) const {
  std::vector<double> means;
  for (RunReader* run : runs(arm)) {
    const Series series = run->scalars(key);
    std::vector<double> inside;
    for (size_t i = 0; i < series.steps.size(); ++i) {
      if (series.steps[i] >= window.begin && series.steps[i] < window.end) inside.push_back(series.values[i]);
    }
    means.push_back(mean_of(inside));
  }
  return means;
}

Evidence TrainedArms::evidence(const std::vector<std::string>& arms, std::vector<Precondition> preconditions,
                               const std::function<double(size_t seed)>& effect) const {
  Evidence evidence;
  evidence.preconditions = std::move(preconditions);
  for (const auto& arm : arms) {
    if (runs(arm).size() < setting_.seeds.size()) {
      evidence.missing = fmt::format("runs of \"{}\" are missing", arm);
      return evidence;
    }
    for (const int64_t seed : setting_.seeds) evidence.runs.push_back(results_.plan().run(arm, seed).id);
  }
  for (size_t i = 0; i < setting_.seeds.size(); ++i) evidence.per_seed.push_back(effect(i));
  return evidence;
}

Precondition TrainedArms::learned(const std::vector<std::string>& arms, const Window& window) const {
  std::vector<LearnedArm> learned;
  for (const auto& arm : arms) learned.push_back({arm, accuracy(arm, window)});
  return have_learned("arms-have-learned", learned, setting_.data.shape.classes);
}

Precondition TrainedArms::loss_halved(const std::vector<std::string>& arms, const Window& window) const {
  Precondition precondition{"arms-have-learned", true, ""};
  for (const auto& arm : arms) {
    double most = 0;
    for (RunReader* run : runs(arm)) {
      const std::vector<double> loss = run->scalars({"train", 0, "loss"}).values;
      const double share = loss.empty() ? NAN : mean_over(loss, window) / loss.front();
      if (!(share <= 0.5)) precondition.holds = false;
      raise_to(most, share);
    }
    precondition.detail += fmt::format("{}{}: loss over the window at most {:.2g} of the first",
                                       precondition.detail.empty() ? "" : "; ", arm, most);
  }
  precondition.detail += " (asked: 0.5)";
  return precondition;
}

std::vector<BandPoint> TrainedArms::accuracy_curves(const std::vector<std::string>& arms, size_t width) const {
  constexpr size_t kPoints = 100;
  std::vector<BandPoint> points;
  for (const auto& arm : arms) {
    std::vector<std::vector<double>> curves;
    for (RunReader* run : runs(arm)) {
      curves.push_back(smoothed(training_accuracy(*run, setting_.data.shape.classes), width));
    }
    if (curves.empty()) continue;
    const size_t last = curves.front().size() - 1;
    for (size_t k = 0; k <= kPoints; ++k) {
      const size_t step = k * last / kPoints;
      std::vector<double> values;
      for (const auto& curve : curves) values.push_back(100 * curve.at(step));
      points.push_back(band_point(arm, static_cast<double>(step), values));
    }
  }
  return points;
}

std::vector<BandPoint> TrainedArms::loss_curves(const std::vector<std::string>& arms) const {
  constexpr int64_t kPoints = 100;
  std::vector<BandPoint> points;
  for (const auto& arm : arms) {
    const auto losses = by_step(runs(arm), {"train", 0, "loss"});
    if (losses.empty()) continue;
    const int64_t every = std::max<int64_t>(1, (losses.rbegin()->first + 1) / kPoints);
    for (const auto& [step, values] : losses) {
      if (step % every == 0) points.push_back(band_point(arm, static_cast<double>(step), values));
    }
  }
  return points;
}

std::vector<BandPoint> TrainedArms::curves(const std::vector<std::string>& arms, const Key& key) const {
  std::vector<BandPoint> points;
  for (const auto& arm : arms) {
    for (const auto& [step, values] : by_step(runs(arm), key)) {
      points.push_back(band_point(arm, static_cast<double>(step), values));
    }
  }
  return points;
}

std::vector<BandPoint> TrainedArms::ranges(const std::vector<std::string>& arms, const Key& low, const Key& middle,
                                           const Key& high) const {
  std::vector<BandPoint> points;
  for (const auto& arm : arms) {
    const auto lows = by_step(runs(arm), low), middles = by_step(runs(arm), middle), highs = by_step(runs(arm), high);
    for (const auto& [step, values] : lows) {
      if (!middles.count(step) || !highs.count(step)) continue;
      points.push_back(
          {arm, static_cast<double>(step), mean_of(middles.at(step)), mean_of(values), mean_of(highs.at(step))});
    }
  }
  return points;
}

BandPoint band_point(const std::string& arm, double x, const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  double mean = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  return {arm, x, mean, *low, *high};
}

std::function<double(size_t seed)> log_ratio(std::vector<double> a, std::vector<double> b) {
  return [a = std::move(a), b = std::move(b)](size_t i) { return std::log(a.at(i) / b.at(i)); };
}

std::function<double(size_t seed)> points_between(std::vector<double> a, std::vector<double> b) {
  return [a = std::move(a), b = std::move(b)](size_t i) { return 100 * (a.at(i) - b.at(i)); };
}

Figure training_figure(const std::string& id, const TrainedArms& trained, const std::vector<Arm>& arms, int64_t steps,
                       const std::string& what_to_see) {
  const size_t width = std::max<size_t>(1, static_cast<size_t>(steps) / 16);
  return {
      id, "Training accuracy",
      fmt::format("Share of each batch that the network gets right while it trains (average over the last {} steps; "
                  "line: mean over seeds, band: lowest to highest seed). Guessing would give {} %. {}",
                  width, 100 / trained.setting().data.shape.classes, what_to_see),
      band_chart(trained.accuracy_curves(names_of(arms), width), styles_of(arms), "training step",
                 "training accuracy (%)")};
}

Json activation_ridges(const TrainedArms& trained, const std::vector<std::string>& arms,
                       const std::vector<int64_t>& layers) {
  std::vector<Ridge> ridges;
  std::vector<std::string> titles;
  for (const int64_t layer : layers) {
    for (const auto& arm : arms) {
      titles.push_back(fmt::format("layer #{}, {}", layer, arm));
      if (trained.runs(arm).empty()) continue;
      for (const auto& record : trained.runs(arm).front()->arrays({"activations", layer, "samples"})) {
        ridges.push_back({titles.back(), static_cast<double>(record.step), record.as_doubles()});
      }
    }
  }
  constexpr size_t kMostColumns = 3;  // more would be too narrow to see
  return ridge_chart(ridges, titles, std::min(arms.size(), kMostColumns), "activation (input of the ReLU)",
                     "training step");
}

std::vector<ArmStyle> styles_of(const std::vector<Arm>& arms) {
  std::vector<ArmStyle> styles;
  for (const Arm& arm : arms) styles.push_back(arm.style);
  return styles;
}

std::vector<std::string> names_of(const std::vector<Arm>& arms) {
  std::vector<std::string> names;
  for (const Arm& arm : arms) names.push_back(arm.name());
  return names;
}

}  // namespace bnlab
