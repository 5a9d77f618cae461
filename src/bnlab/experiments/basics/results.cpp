#include "bnlab/experiments/basics/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "bnlab/record/statistics.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab::results {

const Kind kBn{"BN", "batch", colors::kRed}, kPlain{"no BN", "none", colors::kBlue};
const std::vector<double> kRates = {0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30};

TrainSpec train_spec(const Size& size, const Setting& setting, int64_t seed, const std::string& norm, double rate) {
  TrainSpec spec;
  spec.data = {setting.data.set, setting.data.digest, "z-score", size.pad_to, "none"};
  spec.data.pool = size.pool;
  spec.model.name = size.model;
  spec.model.options = size.options;
  spec.model.norm.kind = norm;
  spec.optimizer.lr = rate;
  spec.batch = size.batch;
  spec.steps = size.steps;
  spec.seed = seed;
  return spec;
}

std::string what_was_trained(const Size& size, const Setting& setting) {
  const int64_t pixels = setting.data.shape.size / size.pool;
  return fmt::format(
      "on {}{}, pixels z-scored, no augmentation. Plain SGD at a fixed rate, batch {}, {} steps, Glorot "
      "initialization, "
      "{} seed{}; all networks of a seed start from the same weights and see the same images",
      setting.data.title,
      size.pool > 1 ? fmt::format(", reduced to {0}×{0} by means of {1}×{1} pixels", pixels, size.pool) : "",
      size.batch, size.steps, setting.seeds.size(), setting.seeds.size() == 1 ? "" : "s");
}

Size grid_size(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {"A perceptron of 6 hidden layers of 8 units", "mlp", {{"layers", 6}, {"width", 8}}, 1, 0, 16, 12};
    case Scale::kQuick:
      return {"A perceptron of 6 hidden layers of 100 units", "mlp", {{"layers", 6}}, 2, 0, 64, 300};
    case Scale::kStandard:
      return {"VGG-A at a quarter of its width", "vgg11", {{"width", 0.25}}, 1, 32, 128, 3000};
    case Scale::kPaper:
      return {"VGG with 13 convolutions", "vgg16", {{"width", 1}}, 1, 32, 128, 30000};
  }
  throw std::logic_error("no such scale");
}

Arm arm(const Kind& kind, double rate) {
  return {{fmt::format("{}, rate {}", kind.name, rate), kind.color}, [=](const Setting& setting, int64_t seed) {
            return train_spec(grid_size(setting.scale), setting, seed, kind.norm, rate);
          }};
}

std::vector<Arm> arms(const Kind& kind) {
  std::vector<Arm> all;
  for (const double rate : kRates) all.push_back(arm(kind, rate));
  return all;
}

Plan grid_plan(const Setting& setting) {
  return runs_of(arms(kBn), arms(kPlain))(setting);
}

std::string what_grid_was_trained(const Setting& setting) {
  const Size size = grid_size(setting.scale);
  return fmt::format("{}, with BN before every ReLU and without, {}; each at the learning rates {}.", size.words,
                     what_was_trained(size, setting), fmt::join(kRates, ", "));
}

Window last_quarter(const Size& size) {
  return {size.steps - size.steps / 4, size.steps};
}

std::vector<size_t> best_rates(const ArmRuns& runs, const Kind& kind) {
  const Window window = last_quarter(grid_size(runs.setting().scale));
  std::vector<PerSeed> losses;  // by rate
  for (const Arm& arm : arms(kind)) {
    if (!runs.complete(arm)) return {};
    losses.push_back(
        each(runs, arm, [&](RunReader& run) { return mean_over(training_loss(run, runs.classes()), window); }));
  }
  const size_t seeds = runs.setting().seeds.size();
  std::vector<size_t> best;
  for (size_t judged = 0; judged < seeds; ++judged) {
    const auto on_others = [&](const PerSeed& at_rate) {
      double sum = 0;
      for (size_t seed = 0; seed < seeds; ++seed) sum += seed == judged && seeds > 1 ? 0 : at_rate[seed];
      return sum;
    };
    const auto least = std::min_element(
        losses.begin(), losses.end(), [&](const PerSeed& a, const PerSeed& b) { return on_others(a) < on_others(b); });
    best.push_back(static_cast<size_t>(least - losses.begin()));
  }
  return best;
}

namespace {

double lowest(const Path& path) {
  return path.losses.empty() ? NAN : *std::min_element(path.losses.begin(), path.losses.end());
}

}  // namespace

double reached_by_both(const Path& one, const Path& other) {
  double loss = lowest(one);
  raise_to(loss, lowest(other));
  return loss;
}

double value_at(const Path& path, double loss) {
  for (size_t i = 0; i < path.losses.size(); ++i) {
    if (!(path.losses[i] <= loss)) continue;
    if (i == 0) return path.values[0];
    const double share = (path.losses[i - 1] - loss) / (path.losses[i - 1] - path.losses[i]);
    return path.values[i - 1] + share * (path.values[i] - path.values[i - 1]);
  }
  return std::numeric_limits<double>::quiet_NaN();
}

std::vector<BandPoint> by_loss(const std::string& arm, const std::vector<Path>& paths) {
  if (paths.empty()) return {};
  constexpr double kMost = 1e3, kLeast = 1e-6;
  double start = kMost, end = kLeast;
  for (const Path& path : paths) {
    lower_to(start, path.losses.empty() ? NAN : path.losses.front());
    raise_to(end, lowest(path));
  }
  std::vector<BandPoint> points;
  constexpr double kFall = 0.9;
  // Powers of it, so that all arms are drawn at the same losses.
  for (double k = std::ceil(std::log(start) / std::log(kFall)); std::pow(kFall, k) >= end; ++k) {
    const double loss = std::pow(kFall, k);
    std::vector<double> values;
    for (const Path& path : paths) values.push_back(value_at(path, loss));
    points.push_back(band_point(arm, loss, values));
  }
  return points;
}

}  // namespace bnlab::results
