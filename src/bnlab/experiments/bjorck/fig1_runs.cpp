#include "bnlab/experiments/bjorck/fig1_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace bnlab::bjorck {

TrainedNetwork trained_network(const Setting& setting) {
  constexpr int64_t kPaperEpochs = 165, kPaperBatch = 128;
  switch (setting.scale) {
    case Scale::kSmoke:
      return {"resnet20", 0.125, 2, 16, 8, 0.1, 0.01, 0.001};
    case Scale::kQuick:
      return {"resnet20", 0.5, 2, 64, 400, 0.1, 0.01, 0.003};
    case Scale::kStandard:
      return {"resnet56", 0.5, 1, 128, 3000, 0.1, 0.01, 0.001};
    case Scale::kPaper:
      return {"resnet110", 1, 1, kPaperBatch, kPaperEpochs * setting.data.train_count / kPaperBatch, 0.1, 0.003, 1e-4};
  }
  throw std::logic_error("no such scale");
}

int64_t steps_between_tests(const TrainedNetwork& network) {
  constexpr int64_t kTestLooks = 5;
  return std::max<int64_t>(1, network.steps / kTestLooks);
}

namespace {

TrainSpec training(const Setting& setting, int64_t seed, bool bn, double rate) {
  const TrainedNetwork p = trained_network(setting);
  TrainSpec spec;
  spec.data = {setting.data.set, setting.data.digest};
  spec.data.pool = p.pool;
  spec.data.augment = "flip-crop";
  spec.model.name = p.model;
  spec.model.options = {{"width", p.width}};
  spec.model.norm.kind = bn ? "batch" : "none";
  spec.optimizer.name = "momentum";
  spec.optimizer.options = {{"momentum", 0.9}};
  spec.optimizer.lr = rate;
  spec.optimizer.weight_decay = 5e-4;
  spec.optimizer.milestones = {p.steps / 2, p.steps * 3 / 4};
  spec.batch = p.batch;
  spec.steps = p.steps;
  spec.seed = seed;
  spec.probes.push_back({"accuracy", 0, steps_between_tests(p), true, {{"split", "test"}, {"examples", kTestImages}}});
  return spec;
}

/// Which of three rates, by its place in TrainedNetwork::rates().
Arm trained_at(const std::string& name, const std::string& color, const std::vector<int>& dash, bool bn, size_t rate) {
  return {{name, color, dash}, [=](const Setting& setting, int64_t seed) {
            return training(setting, seed, bn, trained_network(setting).rates().at(rate));
          }};
}
const std::vector<std::string> kRateNames = {"highest rate", "middle rate", "lowest rate"};
const std::vector<std::vector<int>> kRateDashes = {{}, {6, 4}, {2, 3}};
std::vector<Arm> at_all_rates(bool bn) {
  std::vector<Arm> arms;
  for (size_t i = 0; i < kRateNames.size(); ++i) {
    arms.push_back(trained_at((bn ? "BN, " : "no BN, ") + kRateNames[i], bn ? colors::kRed : colors::kBlue,
                              kRateDashes[i], bn, i));
  }
  return arms;
}

}  // namespace

const std::vector<Arm>& with_bn() {
  static const std::vector<Arm> arms = at_all_rates(true);
  return arms;
}
const std::vector<Arm>& without_bn() {
  static const std::vector<Arm> arms = at_all_rates(false);
  return arms;
}

std::vector<Arm> all_trained() {
  std::vector<Arm> all = with_bn();
  all.insert(all.end(), without_bn().begin(), without_bn().end());
  return all;
}

Arm deep_at(bool bn, double rate) {
  return {{fmt::format("{}, first steps at {}", bn ? "BN" : "no BN", rate), bn ? colors::kRed : colors::kBlue},
          [=](const Setting& setting, int64_t seed) { return first_steps(setting, seed, bn, rate, kDeepSteps); }};
}

namespace {

std::vector<Arm> all_deep_starts() {
  std::vector<Arm> all;
  for (const bool bn : {true, false}) {
    for (const double rate : kDeepRates) all.push_back(deep_at(bn, rate));
  }
  return all;
}

}  // namespace

Arm tested_after(const Arm& arm) {
  return {{arm.name() + ", tested", arm.style.color, arm.style.dash}};
}

Plan plan_of_rates(const Setting& setting) {
  Plan plan(setting);
  add_runs(plan, setting, all_trained());
  add_runs(plan, setting, all_deep_starts());
  for (const int64_t seed : setting.seeds) {
    for (const Arm& arm : all_trained()) {
      const PlannedRun trained = plan.run(arm.name(), seed);
      plan.add(tested_after(arm).name(), seed, "test of " + trained.title,
               AnalysisSpec{"evaluation", {{"split", "test"}}, {trained.id}});
    }
  }
  return plan;
}

std::vector<std::string> what_was_trained_at_rates(const Setting& setting) {
  const TrainedNetwork p = trained_network(setting);
  const std::string width = p.width == 1 ? "" : fmt::format(" at {} of its width", p.width),
                    images = p.pool == 1 ? "" : fmt::format(", images reduced to means of {0}×{0} pixels", p.pool);
  const std::string model = p.model == "resnet110" ? "ResNet-110" : p.model == "resnet56" ? "ResNet-56" : "ResNet-20";
  return {
      fmt::format(
          "{}{} on {}{}, flips and crops, with BN before every ReLU and without, {} steps of {} images, SGD with "
          "momentum 0.9 and weight decay 5e-4, Glorot (Xavier) initialization. Rates: {} (highest), {} (middle) and {} "
          "(lowest), divided by 10 at 50 % and at 75 % of the steps. {} seed{}.",
          model, width, setting.data.title, images, p.steps, p.batch, p.high, p.middle, p.low, setting.seeds.size(),
          setting.seeds.size() == 1 ? "" : "s"),
      "The paper: ResNet-110 on CIFAR-10 for 165 epochs at 0.1, 0.003 and 0.0001 with BN and at 0.0001 without, since "
      "without BN it diverges at higher rates. In a few hundred steps nothing is learned at 0.0001, with BN or "
      "without, so that all but the paper's own scale train at rates closer to the highest. A run that diverges counts "
      "as guessing from there on; one may also end without having learned, which is another outcome.",
      fmt::format("Beside them, {} steps at rates of {} of this network, whose depth is what the divergence needs: {}",
                  kDeepSteps, fmt::join(kDeepRates, ", "), what_was_started(setting))};
}

namespace {

enum class Outcome { kLearned, kDidNotLearn, kDiverged };

Outcome outcome_of(RunReader& run, int64_t classes, const Window& window) {
  if (run.diverged_at() >= 0) return Outcome::kDiverged;
  const double accuracy = mean_over(training_accuracy(run, classes), window);
  const double least = 1 / static_cast<double>(classes) + kLearnedMargin;
  return accuracy >= least ? Outcome::kLearned : Outcome::kDidNotLearn;
}

}  // namespace

PerSeed diverged(const ArmRuns& runs, const Arm& arm) {
  constexpr double kDivergedAbove = 1000;
  return each(runs, arm, [](RunReader& run) {
    const auto losses = run.scalars({"train", 0, "loss"}).values;
    return std::all_of(losses.begin(), losses.end(), [](double loss) { return loss <= kDivergedAbove; }) ? 0.0 : 1.0;
  });
}

PerSeed tested(const ArmRuns& runs, const Arm& arm) {
  return each(runs, tested_after(arm), [](RunReader& run) {
    return run.scalar_at({"evaluation", 0, "accuracy"}, 0).value_or(NAN);
  });
}

std::string outcomes_in_words(const ArmRuns& runs, const Arm& arm) {
  const std::vector<std::pair<Outcome, std::string>> names = {
      {Outcome::kDiverged, "diverged"}, {Outcome::kDidNotLearn, "did not learn"}, {Outcome::kLearned, "learned"}};
  const Window window = trained_network(runs.setting()).last_quarter();
  std::map<Outcome, size_t> count;
  for (RunReader* run : runs.of(arm)) ++count[outcome_of(*run, runs.classes(), window)];
  std::string words;
  for (const auto& [outcome, name] : names) {
    if (count[outcome] == 0) continue;
    if (count[outcome] == runs.of(arm).size()) return name;
    words += fmt::format("{}{} {}", words.empty() ? "" : ", ", count[outcome], name);
  }
  return words;
}

}  // namespace bnlab::bjorck
