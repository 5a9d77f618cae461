#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/basics/basics.h"
#include "bnlab/record/number_text.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

const std::string kProbe = "population-statistics";

/// A way to keep running statistics, as the probe names it.
struct KeptStatistics {
  std::string name, words, color;
  std::vector<int> dash = {};
};
const KeptStatistics kExact = {"exact", "exact pass", colors::kInk},
                     kFast = {"momentum-0.1", "momentum 0.1", colors::kRed},
                     kSlow = {"momentum-0.01", "momentum 0.01", colors::kRed, {6, 4}},
                     kAll = {"cumulative", "mean over all batches", colors::kGold},
                     kLast1 = {"last-1", "last batch", colors::kBlue, {2, 3}},
                     kLast10 = {"last-10", "mean over the last 10", colors::kBlue, {6, 4}},
                     kLast100 = {"last-100", "mean over the last 100", colors::kBlue};
const std::vector<KeptStatistics> kEstimators = {kFast, kSlow, kAll, kLast1, kLast10, kLast100};
constexpr double kAlike = 2;  // percentage points of test accuracy that still count as alike: ours

struct PopulationProtocol {
  int64_t width, steps, measure_every, examples, training;
  double conv_width;
};

PopulationProtocol population_protocol(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {8, 12, 4, 40, 64, 0.0625};
    case Scale::kQuick:
      return {100, 400, 20, 1000, 5000, 0.125};
    case Scale::kStandard:
      return {100, 5000, 100, 5000, 20000, 0.25};
    case Scale::kPaper:
      return {100, 50000, 500, 0, 60000, 1};
  }
  throw std::logic_error("no such scale");
}

Arm trained(const std::string& name, const std::string& color, int64_t batch, bool convolutional) {
  return {{name, color}, [=](const Setting& setting, int64_t seed) {
            const PopulationProtocol p = population_protocol(setting.scale);
            TrainSpec spec;
            spec.data = {setting.data.set, setting.data.digest};
            if (convolutional) {
              spec.data.pool = 2;
              spec.data.pad_to = std::max<int64_t>(32, setting.data.shape.size) / 2;
              spec.model.name = "vgg11";
              spec.model.options = {{"width", p.conv_width}, {"pools", 4}};
            } else {
              spec.model.name = "mlp";
              spec.model.options = {{"width", static_cast<double>(p.width)}};
            }
            spec.model.norm.kind = "batch";
            spec.optimizer.lr = 0.1;
            spec.batch = setting.scale == Scale::kSmoke ? batch / 4 : batch;
            spec.steps = p.steps;
            spec.seed = seed;
            const Json parameters = {
                {"measure_every", p.measure_every}, {"examples", p.examples}, {"training", p.training}};
            spec.probes.push_back({kProbe, 0, 1, true, parameters});
            return spec;
          }};
}

const Arm kMlp8 = trained("MLP, batch 8", colors::kGold, 8, false),
          kMlp = trained("MLP, batch 32", colors::kBlue, 32, false),
          kMlp128 = trained("MLP, batch 128", colors::kGreen, 128, false),
          kVgg = trained("VGG-A, batch 32", colors::kRed, 32, true);
const std::vector<std::pair<int64_t, Arm>> kMlps = {{8, kMlp8}, {32, kMlp}, {128, kMlp128}};

int64_t population_steps(const Setting& setting) {
  return population_protocol(setting.scale).steps;
}
Window late(const Setting& setting) {
  return {population_steps(setting) / 2, population_steps(setting)};
}
/// In which an average of momentum 0.01 still holds a good part of its start.
Window early(const Setting& setting) {
  return {0, population_steps(setting) / 4};
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const PopulationProtocol p = population_protocol(setting.scale);
  return {fmt::format(
      "Multilayer perceptrons (3 hidden layers of {} ReLU units, batches of 8, 32 and 128) and VGG-A at {} of its "
      "width "
      "(images of half the size, batch 32), BN before every ReLU, on {}; plain SGD at rate 0.1, {} steps, {} seed{}. "
      "During one and the same training, running statistics are kept in six ways side by side, by which training is "
      "not touched: exponential averages of momentum 0.1 and 0.01, which start at mean 0 and variance 1; the mean over "
      "all batches so far; and over the last 1, 10 and 100, with the unbiased variance of the BN paper's Algorithm 2. "
      "Every {} steps the first {} training images pass through the network at its present weights (\"exact pass\"), "
      "and it is tested on {} images with each of the seven.",
      p.width, p.conv_width, setting.data.title, p.steps, setting.seeds.size(), setting.seeds.size() == 1 ? "" : "s",
      p.measure_every, p.training, p.examples == 0 ? "all test" : std::to_string(p.examples) + " test")};
}

/// Test accuracy with those statistics, 0 to 1, mean over the looks in a window.
PerSeed tested_with(const ArmRuns& runs, const Arm& arm, const KeptStatistics& kept, const Window& window) {
  return mean(runs, arm, {kProbe, 0, kept.name + "_accuracy"}, window);
}
/// How far the means are off, in standard deviations; layer 0: the mean over layers.
PerSeed mean_error(const ArmRuns& runs, const Arm& arm, const KeptStatistics& kept, int64_t layer = 0) {
  return mean(runs, arm, {kProbe, layer, kept.name + "_mean_error"}, late(runs.setting()));
}

using Judged = std::pair<Claim, Evidence>;

const std::string kAlgorithm2 =
    "(Ioffe & Szegedy 2015, section 3.1 and Algorithm 2: in inference BN uses the population's statistics, estimated "
    "over training mini-batches, with the unbiased variance; moving averages serve to follow a model's accuracy while "
    "it "
    "trains; paraphrased.)";

Judged suffices(const ArmRuns& runs, const Arm& arm, const KeptStatistics& kept, const std::string& id, Rank rank) {
  const Window window = late(runs.setting());
  return {
      {.id = id,
       .sentence = fmt::format("Once it has trained a while, the network ({}) tests as well with {} as with an exact "
                               "pass over the training images.",
                               arm.name(), kept.words),
       .quote = kAlgorithm2,
       .statistic = fmt::format("mean test accuracy with {} minus with the exact pass, over the looks in the "
                                "window; the bounds, {} points, are ours",
                                kept.words, kAlike),
       .window = window.text(),
       .unit = "percentage points",
       .side = Side::within(-kAlike, kAlike),
       .paper_value = {},
       .rank = rank},
      paired(runs, {arm}, {learned(runs, {arm}, window)},
             points_between(tested_with(runs, arm, kept, window), tested_with(runs, arm, kExact, window)))};
}

Judged costs(const ArmRuns& runs, const Arm& arm, const KeptStatistics& kept, const Window& window,
             const std::string& id, const std::string& sentence) {
  return {
      {.id = id,
       .sentence = sentence,
       .quote = "(Ours: no source states it.)",
       .statistic = fmt::format("mean test accuracy with the exact pass minus with {}, over the looks in the window; "
                                "the bound, {} points, is ours",
                                kept.words, kAlike),
       .window = window.text(),
       .unit = "percentage points",
       .side = Side::above(kAlike),
       .paper_value = {}},
      paired(runs, {arm}, {learned(runs, {arm}, late(runs.setting()))},
             points_between(tested_with(runs, arm, kExact, window), tested_with(runs, arm, kept, window)))};
}

Judged farther(const ArmRuns& runs, const std::vector<Arm>& arms, const std::string& id, const std::string& sentence,
               const std::string& which, const PerSeed& effects) {
  const Window window = late(runs.setting());
  return {{.id = id,
           .sentence = sentence,
           .quote = "(Ours: the mean of m values has the standard error σ/√m.)",
           .statistic = "ln of the ratio, " + which +
                        ", of the error of the means in standard deviations, mean over layers "
                        "and over the looks in the window",
           .window = window.text(),
           .unit = "log ratio",
           .side = Side::above(0),
           .paper_value = {}},
          paired(runs, arms, {learned(runs, arms, window)}, effects)};
}

std::vector<Judged> claims(const ArmRuns& runs) {
  const Window at_first = early(runs.setting()), then = late(runs.setting());
  return {suffices(runs, kMlp, kFast, "moving-average-suffices", Rank::kPrimary),
          suffices(runs, kMlp, kLast100, "mean-of-batches-suffices", Rank::kPrimary),
          suffices(runs, kVgg, kFast, "moving-average-suffices-vgg", Rank::kSecondary),
          suffices(runs, kVgg, kLast100, "mean-of-batches-suffices-vgg", Rank::kSecondary),
          costs(runs, kMlp, kSlow, at_first, "slow-average-lags",
                "Early in training an average of momentum 0.01 still holds so much of its start that the network tests "
                "worse with it."),
          costs(runs, kMlp8, kLast1, then, "one-batch-costs",
                "The statistics of one batch of 8 are too few: the network tests worse with them."),
          farther(runs, {kMlp}, "one-batch-is-farther", "One batch estimates the means worse than the last ten.",
                  "last batch to last 10", log_ratio(mean_error(runs, kMlp, kLast1), mean_error(runs, kMlp, kLast10))),
          farther(runs, {kMlp8, kMlp128}, "small-batches-are-farther",
                  "One batch of 8 estimates the means worse than one of 128.", "batch 8 to batch 128",
                  log_ratio(mean_error(runs, kMlp8, kLast1), mean_error(runs, kMlp128, kLast1)))};
}

std::vector<ArmStyle> looks(bool with_exact) {
  std::vector<ArmStyle> styles;
  for (const KeptStatistics& kept : kEstimators) styles.push_back({kept.words, kept.color, kept.dash});
  if (with_exact) styles.push_back({kExact.words, kExact.color});
  return styles;
}

Json accuracy_panel(const ArmRuns& runs, const Arm& arm) {
  std::vector<KeptStatistics> all = kEstimators;
  all.push_back(kExact);
  std::vector<BandPoint> points;
  for (const KeptStatistics& kept : all) {
    for (const BandPoint& p : curves(runs, {arm}, {kProbe, 0, kept.name + "_accuracy"})) {
      points.push_back({kept.words, p.x, 100 * p.mean, 100 * p.low, 100 * p.high});
    }
  }
  return band_chart(points, looks(true), "training step", "test accuracy (%)");
}

Figure accuracy_figure(const ArmRuns& runs) {
  return {
      "a", "Test accuracy with each kind of statistics",
      "One network a panel, evaluated along its training with seven kinds of population statistics (line: mean over "
      "seeds, band: lowest to highest). All that differs between the lines is what BN divides and subtracts. Look at "
      "the start, where slow averages (dashed red) still hold the values they began with, and at the "
      "last batch alone (dotted): noisy, but never out of date.",
      panels({{kMlp8.name(), accuracy_panel(runs, kMlp8)},
              {kMlp.name(), accuracy_panel(runs, kMlp)},
              {kMlp128.name(), accuracy_panel(runs, kMlp128)},
              {kVgg.name(), accuracy_panel(runs, kVgg)}},
             2)};
}

Figure start_figure(const Setting& setting) {
  std::vector<BandPoint> points;
  const int64_t steps = population_steps(setting);
  for (int64_t step = 0; step <= steps; step += std::max<int64_t>(1, steps / 100)) {
    for (const auto& [kept, momentum] : {std::pair{kFast, 0.1}, std::pair{kSlow, 0.01}}) {
      const double share = 100 * std::pow(1 - momentum, static_cast<double>(step));
      points.push_back({kept.words, static_cast<double>(step), share, share, share});
    }
  }
  return {
      "b", "What is left of the start",
      "The weight (1 − momentum)^t that mean 0 and variance 1, with which an exponential average begins, still have "
      "after t steps; the others forget their start with the first batch.",
      band_chart(points, {{kFast.words, kFast.color, kFast.dash}, {kSlow.words, kSlow.color, kSlow.dash}},
                 "training step", "weight of the start (%)")};
}

Figure layers_figure(const ArmRuns& runs) {
  std::vector<BandPoint> points;
  constexpr int64_t kVggLayers = 8;
  for (const KeptStatistics& kept : kEstimators) {
    for (int64_t layer = 1; layer <= kVggLayers && !runs.of(kVgg).empty(); ++layer) {
      points.push_back(band_point(kept.words, static_cast<double>(layer), mean_error(runs, kVgg, kept, layer)));
    }
  }
  return {"c", "How far the means are off, by layer",
          fmt::format("VGG-A: distance of each kind's means from the exact ones, in standard deviations of what the "
                      "layer gets (root mean square over channels; mean over {}; logarithmic). Statistics from batches "
                      "of many steps ago belong to other weights; those of one batch are few. Which is worse?",
                      late(runs.setting()).text()),
          band_chart(points, looks(false), "layer", "error of the means (standard deviations)", {.log_y = true})};
}

Figure batches_figure(const ArmRuns& runs) {
  std::vector<BandPoint> points;
  for (const KeptStatistics& kept : kEstimators) {
    for (const auto& [batch, arm] : kMlps) {
      if (runs.of(arm).empty()) continue;
      points.push_back(band_point(kept.words, static_cast<double>(batch), mean_error(runs, arm, kept)));
    }
  }
  return {"d", "How far the means are off, by batch size",
          "The same of the multilayer perceptrons, mean over layers. The error of one batch falls with the root of its "
          "size, a straight line here; lines that fall less hold lag, too.",
          band_chart(points, looks(false), "batch size (logarithmic)", "error of the means (standard deviations)",
                     {.points = true, .log_x = true, .log_y = true})};
}

std::vector<std::string> answer(const std::vector<Judged>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto says = [&](const char* id) {
    const JudgedClaim& it = find_claim(judged, id);
    return fmt::format("{} ({} points)", to_string(it.verdict), signed_text(it.interval.mean, 1));
  };
  return {
      fmt::format("Once the perceptron has trained a while, that the usual average (momentum 0.1) tests as well as "
                  "an exact pass over the training images is {}; that the mean over the last 100 batches does, {}. "
                  "The cases where it matters: that a slow average (momentum 0.01) lags in the first steps is "
                  "{}, that a single batch of 8 is too few, {}.",
                  says("moving-average-suffices"), says("mean-of-batches-suffices"), says("slow-average-lags"),
                  says("one-batch-costs"))};
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = claims(runs);
  return {
      {accuracy_figure(runs), start_figure(setting), layers_figure(runs), batches_figure(runs)}, all, {}, answer(all)};
}

}  // namespace

Experiment population_statistics() {
  return {
      "population-statistics",
      "Which statistics BN evaluates with",
      {"M3"},
      "Ioffe & Szegedy 2015, Batch Normalization (arXiv 1502.03167)",
      "section 3.1, Algorithm 2",
      "How are the population's mean and variance to be estimated, and how much does it matter?",
      runs_of({kMlp8, kMlp, kMlp128, kVgg}),
      what_was_run,
      findings,
      {.chapter = Chapter::kWhat,
       .plainly = "While it trains, BN uses the mean and variance of each mini-batch; to answer for a single image it "
                  "needs those of the whole population. Compared are ways to estimate them on the way: the nearer a "
                  "curve to that of the exact pass, the better the estimate."}};
}

}  // namespace bnlab
