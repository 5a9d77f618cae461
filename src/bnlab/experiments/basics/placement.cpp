// BN before or behind the ReLU: caffenet-benchmark's table, and the reason that Ioffe & Szegedy 2015, section 3.2, give
// for "before". Run it: bnlab reproduce --only placement
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/basics/basics.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

constexpr int64_t kLayers = 7;  // of CaffeNet, with a ReLU each

struct Protocol {
  int64_t pool;  ///< images are reduced to means of so many pixels a side
  double width;
  int64_t batch, steps, test_every, test_examples, observe_every;
};

Protocol protocol(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {1, 0.03, 16, 12, 4, 40, 4};
    case Scale::kQuick:
      return {2, 0.125, 64, 500, 50, 2000, 50};
    case Scale::kStandard:
      return {1, 0.25, 128, 5000, 250, 2000, 250};
    case Scale::kPaper:
      return {1, 1, 256, 320000, 5000, 0, 5000};
  }
  throw std::logic_error("no such scale");
}

/// An arm, and its row in the benchmark's table.
struct Row {
  std::string name, place;
  bool affine;
  double accuracy, log_loss;
  std::string color;
  std::vector<int> dash;
};
const Row kBefore{"before", "before-activation", false, 0.474, 2.35, colors::kRed, {}},
    kBeforeAffine{"before + scale&bias", "before-activation", true, 0.478, 2.33, colors::kRed, {6, 4}},
    kAfter{"after", "after-activation", false, 0.499, 2.21, colors::kBlue, {}},
    kAfterAffine{"after + scale&bias", "after-activation", true, 0.493, 2.24, colors::kBlue, {6, 4}};
const std::vector<Row> kRows = {kBefore, kBeforeAffine, kAfter, kAfterAffine};

std::vector<int64_t> all_layers() {
  std::vector<int64_t> layers;
  for (int64_t layer = 1; layer <= kLayers; ++layer) layers.push_back(layer);
  return layers;
}

TrainSpec train_spec(const Setting& setting, int64_t seed, const Row& row) {
  const Protocol p = protocol(setting.scale);
  TrainSpec spec;
  const int64_t size = std::max<int64_t>(8, setting.data.shape.size / p.pool);  // the least that CaffeNet takes
  spec.data = {setting.data.set, setting.data.digest, "z-score", size, "none"};
  spec.data.pool = p.pool;
  spec.model.name = "caffenet";
  spec.model.options = {{"width", p.width}};
  spec.model.norm.kind = "batch";
  spec.model.norm.place = row.place;
  spec.model.norm.options = {{"affine", row.affine ? 1.0 : 0.0}};
  spec.optimizer.lr = 0.1;
  spec.batch = p.batch;
  spec.steps = p.steps;
  spec.seed = seed;
  const Json places = {"linear", "output"};
  spec.probes = {{"accuracy", 0, p.test_every, true, {{"split", "test"}, {"examples", p.test_examples}}},
                 {"shape", 0, p.observe_every, true, {{"layers", all_layers()}, {"places", places}}},
                 {"moment-changes", 0, p.observe_every, false, {{"layers", all_layers()}, {"places", places}}}};
  return spec;
}

Arm arm(const Row& row) {
  return {{row.name, row.color, row.dash},
          [=](const Setting& setting, int64_t seed) { return train_spec(setting, seed, row); }};
}

std::vector<Arm> arms() {
  std::vector<Arm> all;
  for (const Row& row : kRows) all.push_back(arm(row));
  return all;
}

/// The evaluation of a row's finished networks.
Arm tested(const Row& row) {
  return {{row.name + ", tested", row.color}};
}

Plan plan(const Setting& setting) {
  Plan plan(setting);
  add_runs(plan, setting, arms());
  for (const int64_t seed : setting.seeds) {
    for (const Row& row : kRows) {
      const PlannedRun trained = plan.run(row.name, seed);
      plan.add(tested(row).name(), seed, "test of " + trained.title,
               AnalysisSpec{"evaluation", {{"split", "test"}}, {trained.id}});
    }
  }
  return plan;
}

Window second_half(const Setting& setting) {
  const int64_t steps = protocol(setting.scale).steps;
  return {steps / 2, steps};
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const Protocol p = protocol(setting.scale);
  const int64_t size = setting.data.shape.size / p.pool;
  return {
      fmt::format("CaffeNet for small images (five convolutions and two linear layers, each with BN and a ReLU, and a "
                  "linear head) at {} of its width, on {}{}, pixels z-scored, no augmentation. Plain SGD at rate 0.1, "
                  "batch {}, {} steps, Glorot initialization, {} seed{}. BN (ε 1e-5) stands between the linear map and "
                  "the ReLU, or behind the ReLU, with learned scale and bias (γ, β) or without; all four networks of a "
                  "seed start from the same weights and see the same batches.",
                  p.width, setting.data.title,
                  p.pool > 1 ? fmt::format(", reduced to {0}×{0} by means of {1}×{1} pixels", size, p.pool) : "",
                  p.batch, p.steps, setting.seeds.size(), setting.seeds.size() == 1 ? "" : "s"),
      "The benchmark: CaffeNet with 2,048 units in its linear layers on ImageNet-2012, small side 128, LSUV "
      "initialization, momentum and dropout, trained to its end. Here: no momentum, no dropout, and fewer steps.",
      "At every observation, the same training images pass through (256 for skewness and kurtosis, 128 for the changes "
      "of the moments). Skewness and excess kurtosis are taken channel by channel, over images and positions, and are "
      "0 "
      "for a Gaussian; a layer's number is the median over its channels of their size, without channels whose ReLU "
      "never fires."};
}

PerSeed at_the_end(const ArmRuns& runs, const Row& row, const std::string& name) {
  return each(runs, tested(row), [&](RunReader& run) {
    return run.scalar_at({"evaluation", 0, name}, 0).value_or(NAN);
  });
}

/// Test accuracy or log-loss after the last step, of one row minus another, beside the benchmark's difference.
std::pair<Claim, Evidence> test_claim(const ArmRuns& runs, const Row& one, const Row& other, bool accuracy,
                                      const std::string& id, const std::string& sentence, Rank rank) {
  const std::string name = accuracy ? "accuracy" : "loss";
  const PerSeed a = at_the_end(runs, one, name), b = at_the_end(runs, other, name);
  const double paper = accuracy ? 100 * (one.accuracy - other.accuracy) : one.log_loss - other.log_loss;
  const auto number = [&](const Row& row) {
    return accuracy ? fmt::format("{:.3f}", row.accuracy) : fmt::format("{:.2f}", row.log_loss);
  };
  return {
      {.id = id,
       .sentence = sentence,
       .quote = fmt::format("(Table \"BN -- before or after ReLU?\": {} {}, {} {}.)", one.name, number(one), other.name,
                            number(other)),
       .statistic = fmt::format("{} on the whole test split after the last step, \"{}\" minus \"{}\"",
                                accuracy ? "accuracy" : "mean cross-entropy", one.name, other.name),
       .window = "after the last step",
       .unit = accuracy ? "percentage points" : "nats",
       .side = (paper > 0) ? Side::above(0) : Side::below(0),
       .paper_value = paper,
       .rank = rank},
      paired(runs, {tested(one), tested(other)}, {learned(runs, {arm(one), arm(other)}, second_half(runs.setting()))},
             accuracy ? points_between(a, b) : minus(a, b))};
}

std::vector<std::pair<Claim, Evidence>> test_claims(const ArmRuns& runs) {
  return {test_claim(runs, kAfter, kBefore, true, "after-more-accurate",
                     "BN behind the ReLU gives better test accuracy than BN before it.", Rank::kPrimary),
          test_claim(runs, kAfter, kBefore, false, "after-lower-loss",
                     "BN behind the ReLU gives a lower test log-loss than BN before it.", Rank::kPrimary),
          test_claim(runs, kAfterAffine, kBeforeAffine, true, "after-more-accurate-affine",
                     "With scale and bias, too, BN behind the ReLU gives better test accuracy.", Rank::kSecondary),
          test_claim(runs, kAfterAffine, kBeforeAffine, false, "after-lower-loss-affine",
                     "With scale and bias, too, BN behind the ReLU gives a lower test log-loss.", Rank::kSecondary),
          test_claim(runs, kBeforeAffine, kBefore, true, "affine-helps-before", "Before the ReLU, scale and bias help.",
                     Rank::kSecondary),
          test_claim(runs, kAfterAffine, kAfter, true, "affine-harms-after", "Behind the ReLU, scale and bias do harm.",
                     Rank::kSecondary)};
}

/// A probe's number, mean over the layers and the window.
PerSeed over_layers(const ArmRuns& runs, const Row& row, const std::string& probe, const std::string& name) {
  std::vector<PerSeed> layers;
  for (const int64_t layer : all_layers()) {
    layers.push_back(mean(runs, arm(row), {probe, layer, name}, second_half(runs.setting())));
  }
  return mean_of_all(layers);
}

std::pair<Claim, Evidence> shape_claim(const ArmRuns& runs, const Row& row, const std::string& number, Rank rank) {
  const Window window = second_half(runs.setting());
  const bool skewness = number == "skewness";
  return {{.id = fmt::format("{}-smaller-in-front-{}", number, row.place == kBefore.place ? "before" : "after"),
           .sentence = fmt::format("What goes into the ReLU is nearer to a Gaussian than what comes out: {} (BN {}).",
                                   skewness ? "less skewed" : "less excess kurtosis", row.name),
           .quote = "In contrast, Wu + b is more likely to have a symmetric, non-sparse distribution, that is \"more "
                    "Gaussian\" (Ioffe & Szegedy 2015, section 3.2; their reference left out)",
           .statistic = fmt::format("ln of the ratio, of what the linear map gives to what the {} gives, of |{}|, the "
                                    "median over channels, mean over layers",
                                    row.place == kBefore.place ? "ReLU" : "BN behind the ReLU",
                                    skewness ? "skewness" : "excess kurtosis"),
           .window = window.text() + ", all seven layers",
           .unit = "log ratio",
           .side = Side::below(0),
           .paper_value = {},
           .rank = rank},
          paired(runs, {arm(row)}, {learned(runs, {arm(row)}, window)},
                 log_ratio(over_layers(runs, row, "shape", "linear_" + number),
                           over_layers(runs, row, "shape", "output_" + number)))};
}

std::pair<Claim, Evidence> steadier_claim(const ArmRuns& runs) {
  const Window window = second_half(runs.setting());
  const std::string name = "linear_mean";
  return {
      {.id = "steadier-before",
       .sentence = "With BN before the ReLU, what a layer's linear map gives moves less from step to step than with "
                   "BN behind it.",
       .quote = "normalizing it is likely to produce activations with a stable distribution. (Ioffe & Szegedy 2015, "
                "section 3.2, of Wu + b)",
       .statistic = "ln of the ratio, before to after, of a step's change of a channel's mean in units of its "
                    "standard deviation, mean over channels and layers; the comparison is our reading of \"stable\"",
       .window = window.text() + ", all seven layers",
       .unit = "log ratio",
       .side = Side::below(0),
       .paper_value = {}},
      paired(runs, {arm(kBefore), arm(kAfter)}, {learned(runs, {arm(kBefore), arm(kAfter)}, window)},
             log_ratio(over_layers(runs, kBefore, "moment-changes", name),
                       over_layers(runs, kAfter, "moment-changes", name)))};
}

std::vector<std::pair<Claim, Evidence>> all_claims(const ArmRuns& runs) {
  auto all = test_claims(runs);
  for (const auto& [row, rank] : {std::pair{kBefore, Rank::kPrimary}, std::pair{kAfter, Rank::kSecondary}}) {
    for (const char* number : {"skewness", "kurtosis"}) all.push_back(shape_claim(runs, row, number, rank));
  }
  all.push_back(steadier_claim(runs));
  return all;
}

Figure test_figure(const ArmRuns& runs) {
  auto accuracy = curves(runs, arms(), {"accuracy", 0, "test_accuracy"});
  for (BandPoint& point : accuracy) {
    for (double* value : {&point.mean, &point.low, &point.high}) *value *= 100;
  }
  const auto chart = [&](const std::vector<BandPoint>& points, const std::string& title, bool log) {
    return band_chart(points, styles_of(arms()), "training step", title, {.points = true, .log_y = log});
  };
  const int64_t examples = protocol(runs.setting().scale).test_examples;
  return {
      "b", "On test images, along training",
      fmt::format(
          "Share of {} test images that the network gets right, and its mean cross-entropy on them, in "
          "evaluation mode; line: mean over seeds, band: lowest to highest. Does one place of BN stay "
          "ahead, or do the curves cross or still close up at the end? The benchmark's order is that at the end "
          "of a long training and need not be that after a few hundred steps.",
          examples == 0 ? "all" : "the first " + std::to_string(examples)),
      panels({{"accuracy", chart(accuracy, "test accuracy (%)", false)},
              {"log-loss", chart(curves(runs, arms(), {"accuracy", 0, "test_loss"}), "cross-entropy (nats)", true)}},
             2)};
}

const ArmStyle kFront{"in front of the ReLU", colors::kGreen}, kBehind{"behind the ReLU", colors::kPurple};

Figure shape_figure(const ArmRuns& runs) {
  const Window window = second_half(runs.setting());
  std::vector<Panel> charts;
  for (const char* number : {"skewness", "kurtosis"}) {
    std::vector<Bar> bars;
    for (const auto& [style, prefix] : {std::pair{kFront, "linear_"}, std::pair{kBehind, "output_"}}) {
      for (const int64_t layer : all_layers()) {
        const PerSeed values = mean(runs, arm(kBefore), {"shape", layer, std::string(prefix) + number}, window);
        if (values.empty()) continue;
        const BandPoint point = band_point(style.arm, 0, values);
        bars.push_back({std::to_string(layer), style.arm, point.mean, point.low, point.high});
      }
    }
    const std::string title = number == std::string("kurtosis") ? "excess kurtosis" : number;
    charts.push_back({title, bar_chart(bars, {kFront, kBehind}, "layer", "|" + title + "|")});
  }
  return {"c", "How far from a Gaussian a layer's values are",
          "With BN before the ReLU; layers 1 to 5 are convolutions, 6 and 7 linear. Both numbers are 0 for a Gaussian, "
          "whatever its mean and width. The paper's reason to normalize before the ReLU is that the green bars are "
          "lower than the purple ones: values in front of the ReLU are the more Gaussian, so that mean and variance "
          "say more "
          "about them. Mean over " +
              window.text() + "; bar: mean over seeds, line: lowest to highest.",
          panels(charts, 2)};
}

Figure drift_figure(const ArmRuns& runs) {
  constexpr int64_t kShown = 4;
  const auto chart = [&](const std::vector<Arm>& shown, const char* name) {
    return band_chart(curves(runs, shown, {"moment-changes", kShown, name}), styles_of(shown), "training step",
                      "change of mean / standard deviation", {.points = true, .log_y = true});
  };
  return {"d", "How far one step moves a layer's values",
          fmt::format("Layer {}: change of a channel's mean by one training step in units of its standard deviation, "
                      "mean over channels; logarithmic. Left: what the convolution gives, in all four networks. Right: "
                      "what the ReLU gives, where BN stands before it (behind BN the mean is β by construction). Line: "
                      "mean over seeds, band: lowest to highest.",
                      kShown),
          panels({{kFront.arm, chart(arms(), "linear_mean")},
                  {kBehind.arm, chart({arm(kBefore), arm(kBeforeAffine)}, "output_mean")}},
                 2)};
}

std::vector<PaperNumber> paper_numbers(const ArmRuns& runs) {
  std::vector<PaperNumber> numbers;
  const auto ours = [](const PerSeed& values, int decimals) {
    return values.empty() ? std::string("–") : mean_and_interval(values, decimals);
  };
  for (const Row& row : kRows) {
    const std::string note = fmt::format("The benchmark: ImageNet-2012 at 128 pixels, width 1; here {} at scale {}.",
                                         runs.setting().data.title, to_string(runs.setting().scale));
    numbers.push_back({"test accuracy, BN " + row.name, fmt::format("{:.3f}", row.accuracy),
                       ours(at_the_end(runs, row, "accuracy"), 3), note});
    numbers.push_back({"test log-loss, BN " + row.name, fmt::format("{:.2f}", row.log_loss),
                       ours(at_the_end(runs, row, "loss"), 3), note});
  }
  return numbers;
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  return {{training_figure("a", runs, arms(), protocol(setting.scale).steps,
                           "Red: BN before the ReLU, blue: behind it; dashed: with learned scale and bias."),
           test_figure(runs), shape_figure(runs), drift_figure(runs)},
          all_claims(runs),
          paper_numbers(runs)};
}

}  // namespace

Experiment placement() {
  return {
      "placement",
      "BN before or behind the ReLU",
      {"M27"},
      "Mishkin, Sergievskiy & Matas 2017, caffenet-benchmark, batchnorm.md (doi 10.1016/j.cviu.2017.05.007); Ioffe & "
      "Szegedy 2015, section 3.2 (arXiv 1502.03167)",
      "table \"BN -- before or after ReLU?\"",
      "Should BN stand before the ReLU or behind it, and are the values before it the more Gaussian?",
      plan,
      what_was_run,
      findings,
      {.chapter = Chapter::kQuestions,
       .plainly =
           "BN can stand in front of the activation function, as its inventors have it, or behind it, and either "
           "with a separate scale and bias or without. The same network is trained in all four ways."}};
}

}  // namespace bnlab
