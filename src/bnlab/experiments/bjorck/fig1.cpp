// A residual network with and without BN at three learning rates, and the rates at which the deep one diverges. Run it:
// bnlab reproduce --only bjorck-fig1
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/bjorck/bjorck.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

/// The paper's rates are 0.1, 0.003 and 0.0001 over 165 epochs. In a few hundred steps nothing is learned at 0.0001, so
/// that shorter training is at rates closer to the highest.
struct TrainedNetwork {
  std::string model;
  double width;
  int64_t pool, batch, steps;
  double high, middle, low;  ///< learning rates
  std::vector<double> rates() const { return {high, middle, low}; }
  Window last_quarter() const { return {steps - steps / 4, steps}; }
};

TrainedNetwork trained_network(const Setting& setting) {
  constexpr int64_t kPaperEpochs = 165, kPaperBatch = 128;
  switch (setting.scale) {
    case Scale::kSmoke:
      return {"resnet20", 0.125, 2, 16, 8, 0.1, 0.01, 0.001};
    case Scale::kQuick:
      return {"resnet20", 0.5, 2, 64, 400, 0.1, 0.01, 0.001};
    case Scale::kStandard:
      return {"resnet56", 0.5, 1, 128, 3000, 0.1, 0.01, 0.001};
    case Scale::kPaper:
      return {"resnet110", 1, 1, kPaperBatch, kPaperEpochs * setting.data.train_count / kPaperBatch, 0.1, 0.003, 1e-4};
  }
  throw std::logic_error("no such scale");
}

constexpr int64_t kTestLooks = 5, kTestImages = 1000;

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
  spec.probes.push_back({"accuracy",
                         0,
                         std::max<int64_t>(1, p.steps / kTestLooks),
                         true,
                         {{"split", "test"}, {"examples", kTestImages}}});
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
const std::vector<Arm> kWithBn = at_all_rates(true), kWithoutBn = at_all_rates(false);

std::vector<Arm> all_trained() {
  std::vector<Arm> all = kWithBn;
  all.insert(all.end(), kWithoutBn.begin(), kWithoutBn.end());
  return all;
}

const std::vector<double> kDeepRates = {0.0001, 0.001, 0.01, 0.1};
constexpr int64_t kDeepSteps = 8;

/// The deep network's first steps.
Arm deep_at(bool bn, double rate) {
  return {
      {fmt::format("{}, first steps at {}", bn ? "BN" : "no BN", rate), bn ? colors::kRed : colors::kBlue},
      [=](const Setting& setting, int64_t seed) { return bjorck::first_steps(setting, seed, bn, rate, kDeepSteps); }};
}

std::vector<Arm> all_deep_starts() {
  std::vector<Arm> all;
  for (const bool bn : {true, false}) {
    for (const double rate : kDeepRates) all.push_back(deep_at(bn, rate));
  }
  return all;
}

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
  std::vector<std::string> paragraphs = {
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
                  kDeepSteps, fmt::join(kDeepRates, ", "), bjorck::what_was_started(setting))};
  return paragraphs;
}

enum class Outcome { kLearned, kDidNotLearn, kDiverged };

Outcome outcome_of(RunReader& run, int64_t classes, const Window& window) {
  if (run.diverged_at() >= 0) return Outcome::kDiverged;
  const double accuracy = mean_over(training_accuracy(run, classes), window);
  const double least = 1 / static_cast<double>(classes) + kLearnedMargin;
  return accuracy >= least ? Outcome::kLearned : Outcome::kDidNotLearn;
}

/// 1 for a run one of whose mini-batches had a loss at which a network counts as diverged, else 0.
PerSeed diverged(const ArmRuns& runs, const Arm& arm) {
  constexpr double kDivergedAbove = 1000;
  return each(runs, arm, [](RunReader& run) {
    const auto losses = run.scalars({"train", 0, "loss"}).values;
    return std::all_of(losses.begin(), losses.end(), [](double loss) { return loss <= kDivergedAbove; }) ? 0.0 : 1.0;
  });
}

/// Test accuracy behind the last step, 0 to 1.
PerSeed tested(const ArmRuns& runs, const Arm& arm) {
  return each(runs, tested_after(arm), [](RunReader& run) {
    return run.scalar_at({"evaluation", 0, "accuracy"}, 0).value_or(NAN);
  });
}

PerSeed larger(const PerSeed& a, const PerSeed& b) {
  PerSeed result;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) result.push_back(std::max(a[i], b[i]));
  return result;
}

using RateClaim = std::pair<Claim, Evidence>;

struct RateSaid {
  std::string id, sentence, quote, statistic, window;
  Side side;
  Rank rank = Rank::kSecondary;
  std::string unit = "percentage points";
};

RateClaim rate_claim(const RateSaid& said, const Evidence& evidence) {
  return {{.id = said.id,
           .sentence = said.sentence,
           .quote = said.quote,
           .statistic = said.statistic,
           .window = said.window,
           .unit = said.unit,
           .side = said.side,
           .paper_value = {},
           .rank = said.rank},
          evidence};
}

const std::string kLargerRates =
    "BN primarily enables training with larger learning rates, which is the cause for faster convergence and better "
    "generalization. (Abstract)";

std::vector<Arm> with_tests(const std::vector<Arm>& arms) {
  std::vector<Arm> all = arms;
  for (const Arm& arm : arms) all.push_back(tested_after(arm));
  return all;
}

std::vector<RateClaim> accuracy_claims(const ArmRuns& runs) {
  const TrainedNetwork p = trained_network(runs.setting());
  const Window window = p.last_quarter();
  const Arm &high = kWithBn[0], &middle = kWithBn[1], &low = kWithBn[2], &plain_high = kWithoutBn[0],
            &plain_middle = kWithoutBn[1], &plain_low = kWithoutBn[2];
  const PerSeed at_high = tested(runs, high), at_middle = tested(runs, middle), at_low = tested(runs, low),
                without = tested(runs, plain_low);
  const PerSeed from_rate = points_between(at_high, at_low), from_bn = points_between(at_low, without);
  const std::string end = "after the last step", test = "accuracy on the whole test split, ";
  const std::vector<Arm> low_pair = {low, plain_low};
  return {
      rate_claim(
          {.id = "highest-rate-is-best",
           .sentence = fmt::format("With BN the network does best on test images at the highest rate, {}.", p.high),
           .quote = kLargerRates,
           .statistic = test + "at the highest rate minus the better of the other two, with BN",
           .window = end,
           .side = Side::above(0),
           .rank = Rank::kPrimary},
          paired(runs, with_tests(kWithBn), {learned(runs, {high}, window)},
                 points_between(at_high, larger(at_middle, at_low)))),
      rate_claim({.id = "alike-at-lowest-rate",
                  .sentence = fmt::format("At the lowest rate, {}, BN makes no difference to the test accuracy: less "
                                          "than two points.",
                                          p.low),
                  .quote = "(Section 2, on Fig. 1: at the rate that the network without BN needs, the one with BN does "
                           "no better; paraphrased.)",
                  .statistic = test + "with BN minus without, at the lowest rate; the bound is ours",
                  .window = end,
                  .side = Side::within(-2, 2),
                  .rank = Rank::kPrimary},
                 paired(runs, with_tests(low_pair), {learned(runs, low_pair, window)}, from_bn)),
      rate_claim({.id = "rate-not-bn",
                  .sentence = "What BN gains on test images it gains by the higher rate: from the lowest rate to the "
                              "highest, more than from no BN to BN at the lowest.",
                  .quote = kLargerRates,
                  .statistic = test + "(BN at the highest rate minus BN at the lowest) minus (BN minus none at the "
                                      "lowest)",
                  .window = end,
                  .side = Side::above(0),
                  .rank = Rank::kPrimary},
                 paired(runs, with_tests({high, low, plain_low}), {learned(runs, {high, low, plain_low}, window)},
                        minus(from_rate, from_bn))),
      rate_claim({.id = "faster-at-highest-rate",
                  .sentence = "With BN the network trains faster at the highest rate than at the lowest.",
                  .quote = kLargerRates,
                  .statistic = "mean training accuracy over the window, at the highest rate minus at the lowest, with "
                               "BN",
                  .window = Window{0, p.steps / 2}.text(),
                  .side = Side::above(0)},
                 paired(runs, {high, low}, {learned(runs, {high}, window)},
                        points_between(accuracy(runs, high, {0, p.steps / 2}), accuracy(runs, low, {0, p.steps / 2})))),
      rate_claim({.id = "bn-stands-highest-rate",
                  .sentence = "At the highest rate the network trains with BN and not without.",
                  .quote = kLargerRates,
                  .statistic = "mean training accuracy over the window, with BN minus without, at the highest rate; a "
                               "run that diverges counts as guessing",
                  .window = window.text(),
                  .side = Side::above(0)},
                 paired(runs, {high, plain_high}, {learned(runs, {high}, window)},
                        points_between(accuracy(runs, high, window), accuracy(runs, plain_high, window)))),
      rate_claim({.id = "bn-better-at-middle-rate",
                  .sentence = "At the middle rate the network does better on test images with BN.",
                  .quote = "(Fig. 1: without BN it cannot be trained at this rate; paraphrased.)",
                  .statistic = test + "with BN minus without, at the middle rate",
                  .window = end,
                  .side = Side::above(0)},
                 paired(runs, with_tests({middle, plain_middle}), {learned(runs, {middle}, window)},
                        points_between(at_middle, tested(runs, plain_middle))))};
}

std::vector<RateClaim> divergence_claims(const ArmRuns& runs) {
  const TrainedNetwork p = trained_network(runs.setting());
  const std::string quote =
                        "For networks without BN we demonstrate how large updates can result in diverging loss. "
                        "(Abstract)",
                    unit = "share of seeds", first = fmt::format("the first {} steps", kDeepSteps);
  const auto share = [&](bool bn, double rate) { return diverged(runs, deep_at(bn, rate)); };
  const double lowest = kDeepRates.front(), highest = kDeepRates.back();
  return {
      rate_claim({.id = "deep-diverges-without-bn",
                  .sentence = fmt::format("At rate {} the deep network diverges within its first steps without BN, and "
                                          "does not with BN.",
                                          highest),
                  .quote = quote,
                  .statistic = "1 if a mini-batch's loss passes 1000, else 0: without BN minus with; supported if "
                               "above a half",
                  .window = first,
                  .side = Side::above(0.5),
                  .rank = Rank::kPrimary,
                  .unit = unit},
                 paired(runs, {deep_at(true, highest), deep_at(false, highest)}, {},
                        minus(share(false, highest), share(true, highest)))),
      rate_claim({.id = "deep-stands-lowest-rate",
                  .sentence = fmt::format("At rate {} the deep network does not diverge without BN.", lowest),
                  .quote = "(Section 2: the highest rate at which it could be trained without BN; paraphrased.)",
                  .statistic = "1 if a mini-batch's loss passes 1000, else 0; supported if below a half",
                  .window = first,
                  .side = Side::below(0.5),
                  .unit = unit},
                 paired(runs, {deep_at(false, lowest)}, {}, share(false, lowest))),
      rate_claim({.id = "trained-diverges-without-bn",
                  .sentence = fmt::format(
                      "The network of the curves, too, diverges without BN at the highest rate, {}.", p.high),
                  .quote = quote,
                  .statistic = "1 if a mini-batch's loss passes 1000, else 0; supported if above a half",
                  .window = Window{0, p.steps}.text(),
                  .side = Side::above(0.5),
                  .unit = unit},
                 paired(runs, {kWithoutBn[0]}, {}, diverged(runs, kWithoutBn[0])))};
}

std::vector<RateClaim> claims_of_rates(const ArmRuns& runs) {
  std::vector<RateClaim> all = accuracy_claims(runs);
  for (RateClaim& claim : divergence_claims(runs)) all.push_back(std::move(claim));
  return all;
}

/// Test accuracy along training; from where it diverged on, a run guesses.
std::vector<BandPoint> test_curves(const ArmRuns& runs) {
  const TrainedNetwork p = trained_network(runs.setting());
  const int64_t every = std::max<int64_t>(1, p.steps / kTestLooks);
  std::vector<BandPoint> points;
  for (const Arm& arm : all_trained()) {
    std::map<int64_t, std::vector<double>> by_step;
    for (RunReader* run : runs.of(arm)) {
      const Series series = run->scalars({"accuracy", 0, "test_accuracy"});
      for (size_t i = 0; i < series.steps.size(); ++i) by_step[series.steps[i]].push_back(100 * series.values[i]);
      if (run->diverged_at() < 0) continue;
      for (int64_t step = 0; step <= p.steps; step += every) {
        if (step >= run->diverged_at()) by_step[step].push_back(100.0 / static_cast<double>(runs.classes()));
      }
    }
    for (const auto& [step, values] : by_step) {
      points.push_back(band_point(arm.name(), static_cast<double>(step), values));
    }
  }
  return points;
}

Figure rates_curves_figure(const ArmRuns& runs) {
  const TrainedNetwork p = trained_network(runs.setting());
  const std::vector<Arm> all = all_trained();
  const auto width = std::max<size_t>(1, static_cast<size_t>(p.steps) / 16);
  return {"a", "Training and test accuracy at three learning rates",
          fmt::format(
              "Left: share of each mini-batch that the network gets right while it trains (average over the last {} "
              "steps); right: the same of {} test images. Red with BN, blue without; solid at the highest rate, {}, "
              "dashed at {}, dotted at {}. Line: mean over seeds, band: lowest to highest; guessing would give {} %. "
              "The paper: with BN the highest rate is fastest and ends best; at the lowest rate BN makes little "
              "difference; without BN higher rates fail. So look whether red rises above blue of the same dashes, or "
              "only solid red above the rest.",
              width, kTestImages, p.high, p.middle, p.low, 100 / runs.classes()),
          panels({{"training", band_chart(accuracy_curves(runs, all, width), styles_of(all), "training step",
                                          "training accuracy (%)")},
                  {"test", band_chart(test_curves(runs), styles_of(all), "training step", "test accuracy (%)",
                                      {.points = true})}},
                 2)};
}

/// "learned", "4 diverged, 1 learned": the outcomes of an arm's runs.
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

Json trained_outcomes(const ArmRuns& runs) {
  const TrainedNetwork p = trained_network(runs.setting());
  std::vector<HeatCell> cells;
  HeatMapOptions options;
  for (const auto& [row, arms] : {std::pair("BN", kWithBn), std::pair("no BN", kWithoutBn)}) {
    for (size_t i = arms.size(); i-- > 0;) {
      const PerSeed reached = accuracy(runs, arms[i], p.last_quarter());
      if (reached.empty()) continue;
      const std::string rate = fmt::format("{}", p.rates()[i]);
      cells.push_back({row, rate, 100 * mean_of(reached)});
      options.marks.push_back({row, rate, outcomes_in_words(runs, arms[i])});
    }
  }
  return heat_map_chart(cells, "", "learning rate", "training accuracy (%)", options);
}

Json deep_outcomes(const ArmRuns& runs) {
  std::vector<HeatCell> cells;
  HeatMapOptions options;
  for (const bool bn : {true, false}) {
    for (const double rate : kDeepRates) {
      const PerSeed values = diverged(runs, deep_at(bn, rate));
      if (values.empty()) continue;
      const std::string row = bn ? "BN" : "no BN", column = fmt::format("{}", rate);
      cells.push_back({row, column, 100 * mean_of(values)});
      options.marks.push_back(
          {row, column,
           fmt::format("{:.0f} of {}", mean_of(values) * static_cast<double>(values.size()), values.size())});
    }
  }
  return heat_map_chart(cells, "", "learning rate", "diverged (%)", options);
}

Figure outcomes_figure(const ArmRuns& runs) {
  const TrainedNetwork p = trained_network(runs.setting());
  return {
      "b", "What becomes of a network at each rate",
      fmt::format(
          "Left: how many seeds of the deep network ({} convolutions) diverge within their first {} steps, which is "
          "where the paper's does. Right: what became of the network whose curves figure a shows, with its "
          "training accuracy over {}: it learned, it diverged (a mini-batch's loss above 1000), or neither: it did "
          "not learn, with a training accuracy less than {:.0f} points above guessing. Only depth makes large "
          "rates diverge at once; a shallower network may survive them and learn nothing all the same.",
          bjorck::deep_network(runs.setting().scale).layers, kDeepSteps, p.last_quarter().text(), 100 * kLearnedMargin),
      panels({{"the deep network's first steps", deep_outcomes(runs)}, {"after training", trained_outcomes(runs)}}, 2)};
}

Figure deep_losses_figure(const ArmRuns& runs) {
  std::vector<Panel> charts;
  for (const bool bn : {true, false}) {
    std::vector<ArmStyle> styles;
    std::vector<BandPoint> points;
    for (size_t i = 0; i < kDeepRates.size(); ++i) {
      const std::string name = fmt::format("rate {}", kDeepRates[i]);
      styles.push_back({name, categories().at(i)});
      for (BandPoint point : loss_curves(runs, {deep_at(bn, kDeepRates[i])})) {
        point.arm = name;
        points.push_back(point);
      }
    }
    charts.push_back({bn ? "BN" : "no BN", band_chart(points, styles, "training step", "loss (logarithmic)",
                                                      {.points = true, .log_y = true})});
  }
  return {"c", "The deep network's first losses",
          "Loss of each mini-batch in its first steps, with BN and without. Without BN it begins far above guessing, "
          "since values grow from block to block; one step at a high rate and it leaves the scale, and a run ends "
          "where its loss is above 1000 or no number any more. Line: mean over seeds, band: lowest to highest.",
          panels(charts, 2)};
}

std::vector<PaperNumber> numbers_of_rates(const ArmRuns& runs) {
  const TrainedNetwork p = trained_network(runs.setting());
  std::vector<PaperNumber> numbers;
  for (const auto& [name, arms] : {std::pair("with BN", kWithBn), std::pair("without BN", kWithoutBn)}) {
    for (size_t i = 0; i < arms.size(); ++i) {
      PerSeed values = tested(runs, arms[i]);
      for (double& value : values) value *= 100;
      numbers.push_back({fmt::format("test accuracy {}, rate {} (%)", name, p.rates()[i]), "–",
                         values.empty() ? "–" : mean_and_interval(values, 1), outcomes_in_words(runs, arms[i])});
    }
  }
  return numbers;
}

std::vector<std::string> answer_of_rates(const ArmRuns& runs, const std::vector<RateClaim>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto text = [&](const char* id, const char* unit) {
    const JudgedClaim& claim = find_claim(judged, id);
    return fmt::format("{} ({:+.1f} {})", to_string(claim.verdict), claim.interval.mean, unit);
  };
  const auto verdict = [&](const char* id) { return to_string(find_claim(judged, id).verdict); };
  return {
      fmt::format("That with BN the highest rate does best on test images is {}; that at the lowest rate BN makes no "
                  "difference, {}; that the rate gives more than BN at the lowest rate does, {}.",
                  text("highest-rate-is-best", "points"), text("alike-at-lowest-rate", "points"),
                  text("rate-not-bn", "points")),
      fmt::format("That the deep network diverges at once without BN, at a rate at which it does not with BN, is {}. "
                  "The network of the curves at the highest rate without BN: {}.",
                  verdict("deep-diverges-without-bn"), outcomes_in_words(runs, kWithoutBn[0]))};
}

Findings findings_of_rates(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = claims_of_rates(runs);
  return {{rates_curves_figure(runs), outcomes_figure(runs), deep_losses_figure(runs)},
          all,
          numbers_of_rates(runs),
          answer_of_rates(runs, all)};
}

}  // namespace

Experiment bjorck_fig1() {
  return {
      "bjorck-fig1",
      "BN and the learning rate",
      {"M17"},
      bjorck::kSource,
      "Fig. 1",
      "Is it the higher learning rate that BN allows, rather than BN itself, that makes networks train faster and "
      "do better on test images?",
      plan_of_rates,
      what_was_trained_at_rates,
      findings_of_rates,
      {.chapter = Chapter::kWhyItWorks,
       .plainly = "The same residual network is trained with BN and without at a high, a middle and a low learning "
                  "rate. Compare red and blue at the same rate, and then red at different rates: which makes more "
                  "of a difference?",
       .headline = "deep-diverges-without-bn",
       .in_short = "A deep network without BN breaks in its first steps at learning rates that it stands with BN."}};
}

}  // namespace bnlab
