#include "bnlab/experiments/basics/small_vgg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace bnlab {
namespace {

constexpr double kRate = 0.1;

struct SmallVgg {
  double width;
  int64_t pool, batch, steps;
};

SmallVgg small_vgg_at(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {0.0625, 2, 16, 12};
    case Scale::kQuick:
      return {0.125, 2, 32, 150};
    case Scale::kStandard:
      return {0.25, 1, 128, 1000};
    case Scale::kPaper:
      return {1, 1, 128, 15000};
  }
  throw std::logic_error("no such scale");
}

TrainSpec small_vgg_spec(const Setting& setting, int64_t seed) {
  const SmallVgg p = small_vgg_at(setting.scale);
  TrainSpec spec;
  spec.data = {setting.data.set, setting.data.digest};
  spec.data.pool = p.pool;
  spec.data.pad_to = std::max<int64_t>(32, setting.data.shape.size) / p.pool;
  spec.model.name = "vgg11";
  spec.model.options = {{"width", p.width}, {"pools", p.pool == 1 ? 5 : 4}};
  spec.model.norm.kind = "batch";
  spec.optimizer.lr = kRate;
  spec.batch = p.batch;
  spec.steps = p.steps;
  spec.seed = seed;
  return spec;
}

}  // namespace

Arm small_vgg() {
  return {{"VGG-A, BN", colors::kRed}, small_vgg_spec};
}

std::string what_small_vgg_is(const Setting& setting) {
  const SmallVgg p = small_vgg_at(setting.scale);
  return fmt::format(
      "VGG-A (8 convolutions) at {} of its width on {}{}, BN with γ, β behind every convolution, in front of its ReLU; "
      "plain SGD at rate {}, batch {}, {} steps, Glorot initialization; a network a seed.",
      p.width, setting.data.title, p.pool == 1 ? "" : ", images of half the size", kRate, p.batch, p.steps);
}

Plan SmallVggLook::plan(const Setting& setting) const {
  Plan plan(setting);
  add_runs(plan, setting, {small_vgg()});
  for (const int64_t seed : setting.seeds) {
    const PlannedRun trained = plan.run(small_vgg().name(), seed);
    plan.add(arm.name(), seed, arm.name() + ": " + trained.title, AnalysisSpec{analysis, Json::object(), {trained.id}});
  }
  return plan;
}

PerSeed SmallVggLook::recorded(const ArmRuns& runs, int64_t layer, const std::string& name) const {
  return each(runs, arm, [&](RunReader& run) { return run.scalar_at({analysis, layer, name}, 0).value_or(NAN); });
}

Claim SmallVggLook::claim(const std::string& id, Rank rank, const std::string& sentence, const std::string& statistic,
                          const std::string& unit, const Side& side, const std::string& quote) const {
  return {.id = id,
          .sentence = sentence,
          .quote = quote,
          .statistic = statistic,
          .window = window,
          .unit = unit,
          .side = side,
          .paper_value = {},
          .rank = rank};
}

}  // namespace bnlab
