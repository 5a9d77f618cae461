// Whether BN regularizes: Ioffe & Szegedy 2015, section 3.4. Run it: bnlab reproduce --only results-generalization
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/basics/basics.h"
#include "bnlab/experiments/basics/results.h"
#include "bnlab/record/number_text.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

using namespace results;
using Claims = std::vector<std::pair<Claim, Evidence>>;

const std::string kProbe = "accuracy";

Size size_at(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {"A perceptron of 3 hidden layers of 16 units", "mlp", {{"width", 16}}, 1, 0, 16, 12};
    case Scale::kQuick:
      return {"A perceptron of 3 hidden layers of 200 units", "mlp", {{"width", 200}}, 2, 0, 128, 2500};
    case Scale::kStandard:
      return {"VGG-A at a quarter of its width", "vgg11", {{"width", 0.25}}, 1, 32, 128, 6000};
    case Scale::kPaper:
      return {"VGG with 13 convolutions", "vgg16", {{"width", 1}}, 1, 32, 128, 30000};
  }
  throw std::logic_error("no such scale");
}

/// The network is looked at so many times, on so many training and as many test images.
int64_t looked_every(const Setting& setting) {
  return setting.scale == Scale::kSmoke ? 4 : size_at(setting.scale).steps / 25;
}
constexpr int64_t kImages = 10000;

/// The same for all networks: the perceptrons fit deeper at a high one, the VGGs have that of Santurkar et al. 2018.
double rate_at(Scale scale) {
  return scale <= Scale::kQuick ? 0.3 : 0.1;
}

/// A network of the comparison.
struct Variant {
  std::string name, norm, color;
};
const Variant kNone{"no normalization", "none", colors::kBlue}, kBatch{"BN", "batch", colors::kRed},
    kLayer{"layer normalization", "layer", colors::kGreen};
const std::vector<Variant> kVariants = {kNone, kBatch, kLayer};

Arm arm(const Variant& variant) {
  return {
      {variant.name, variant.color}, [=](const Setting& setting, int64_t seed) {
        TrainSpec spec = train_spec(size_at(setting.scale), setting, seed, variant.norm, rate_at(setting.scale));
        for (const char* split : {"train", "test"}) {
          spec.probes.push_back({kProbe, 0, looked_every(setting), true, {{"split", split}, {"examples", kImages}}});
        }
        return spec;
      }};
}

std::vector<Arm> all_arms() {
  return {arm(kNone), arm(kBatch), arm(kLayer)};
}

/// From look to look the loss on the training images, and beside it another number of the probe.
std::vector<Path> paths(const ArmRuns& runs, const Variant& variant, const std::string& name) {
  std::vector<Path> all;
  for (RunReader* run : runs.of(arm(variant))) {
    all.push_back({run->scalars({kProbe, 0, "train_loss"}).values, run->scalars({kProbe, 0, name}).values});
  }
  return all;
}

/// Seed by seed, one variant's number minus another's where each first comes down to the lowest training loss that both
/// reach.
PerSeed at_equal_loss(const ArmRuns& runs, const Variant& one, const Variant& other, const std::string& name) {
  const std::vector<Path> a = paths(runs, one, name), b = paths(runs, other, name);
  PerSeed differences;
  for (size_t seed = 0; seed < std::min(a.size(), b.size()); ++seed) {
    const double loss = reached_by_both(a[seed], b[seed]);
    differences.push_back(value_at(a[seed], loss) - value_at(b[seed], loss));
  }
  return differences;
}

PerSeed in_points(PerSeed shares) {
  for (double& share : shares) share *= 100;
  return shares;
}

/// The number of the last look.
PerSeed at_the_end(const ArmRuns& runs, const Variant& variant, const std::string& name) {
  return each(runs, arm(variant), [&](RunReader& run) {
    const Series series = run.scalars({kProbe, 0, name});
    return series.values.empty() ? NAN : series.values.back();
  });
}

PerSeed gap(const ArmRuns& runs, const Variant& variant) {
  return points_between(at_the_end(runs, variant, "train_accuracy"), at_the_end(runs, variant, "test_accuracy"));
}

struct Statement {
  std::string id, sentence, quote, statistic, unit;
  Side side = Side::above(0);
  Rank rank = Rank::kPrimary;
};

std::pair<Claim, Evidence> claim(const ArmRuns& runs, const Variant& one, const Variant& other, const Statement& said,
                                 const PerSeed& effects) {
  const Window window = last_quarter(size_at(runs.setting().scale));
  return {{.id = said.id,
           .sentence = said.sentence,
           .quote = said.quote,
           .statistic = fmt::format("{}, \"{}\" minus \"{}\"; first {} images of each split, in evaluation mode",
                                    said.statistic, one.name, other.name, kImages),
           .window = "",
           .unit = said.unit,
           .side = said.side,
           .paper_value = {},
           .rank = said.rank},
          paired(runs, {arm(one), arm(other)}, {learned(runs, {arm(one), arm(other)}, window)}, effects)};
}

Claims claims(const ArmRuns& runs) {
  const std::string advantageous =
      "In our experiments, we found this effect to be advantageous to the generalization of the network. (Section 3.4, "
      "of a batch's other examples, which a training example is seen with)";
  const std::string at_equal = " where each first comes down to the lowest training loss that both reach";
  Claims all = {
      claim(runs, kBatch, kNone,
            {.id = "better-at-equal-loss",
             .sentence = "Where both networks fit the training images equally well, the one with BN is right on more "
                         "test images.",
             .quote = advantageous,
             .statistic = "test accuracy" + at_equal,
             .unit = "percentage points"},
            in_points(at_equal_loss(runs, kBatch, kNone, "test_accuracy"))),
      claim(runs, kBatch, kNone,
            {.id = "better-test-accuracy",
             .sentence = "At the end of training, the network with BN is right on more test images.",
             .quote = advantageous,
             .statistic = "test accuracy after the last step",
             .unit = "percentage points"},
            points_between(at_the_end(runs, kBatch, "test_accuracy"), at_the_end(runs, kNone, "test_accuracy"))),
      claim(
          runs, kBatch, kNone,
          {.id = "smaller-gap",
           .sentence = "At the end of training, the network with BN loses less from training to test images.",
           .quote = "Batch Normalization regularizes the model (Section 3.4, its heading; the gap is our reading, and "
                    "grows by itself with how well a network fits)",
           .statistic = "training accuracy − test accuracy after the last step",
           .unit = "percentage points",
           .side = Side::below(0)},
          minus(gap(runs, kBatch), gap(runs, kNone))),
      claim(runs, kBatch, kNone,
            {.id = "lower-test-loss-at-equal-loss",
             .sentence = "Where both networks fit the training images equally well, the test loss is lower with BN.",
             .quote = advantageous,
             .statistic = "test loss" + at_equal,
             .unit = "nats",
             .side = Side::below(0),
             .rank = Rank::kSecondary},
            at_equal_loss(runs, kBatch, kNone, "test_loss")),
      claim(runs, kBatch, kLayer,
            {.id = "noise-regularizes",
             .sentence = "At equal training loss, BN is right on more test images than layer normalization, which "
                         "normalizes without the noise of a batch.",
             .quote = "When training with Batch Normalization, a training example is seen in conjunction with other "
                      "examples in the mini-batch, and the training network no longer producing deterministic values "
                      "for a given training example. (Section 3.4; the comparison is ours)",
             .statistic = "test accuracy" + at_equal,
             .unit = "percentage points",
             .rank = Rank::kSecondary},
            in_points(at_equal_loss(runs, kBatch, kLayer, "test_accuracy")))};
  const std::string end = fmt::format("looks every {} steps", looked_every(runs.setting()));
  for (auto& [claim, evidence] : all) claim.window = end;
  return all;
}

Figure equal_figure(const ArmRuns& runs) {
  const double shown_below = std::log(static_cast<double>(runs.classes())) / 4;  // above, the lines lie on each other
  const auto chart = [&](const std::string& name, double factor, const std::string& title) {
    std::vector<BandPoint> points;
    for (const Variant& variant : kVariants) {
      for (const BandPoint& p : by_loss(variant.name, paths(runs, variant, name))) {
        if (p.x > shown_below) continue;
        points.push_back({p.arm, p.x, factor * p.mean, factor * p.low, factor * p.high});
      }
    }
    return band_chart(points, styles_of(all_arms()), "training loss (nats, logarithmic)", title, {.log_x = true});
  };
  return {
      "a", "On test images, at equal training loss",
      fmt::format(
          "The later part of training, from right to left. At each place all networks fit the training images equally "
          "well; the higher one there, on the left panel, has drawn the better lesson from them. Right: "
          "the loss on test images; where it turns up again, the network learns by heart. Mean over seeds, "
          "band: lowest to highest; {} images of each split, in evaluation mode.",
          kImages),
      panels({{"test accuracy", chart("test_accuracy", 100, "test accuracy (%)")},
              {"test loss", chart("test_loss", 1, "test loss (nats)")}},
             2)};
}

Figure along_figure(const ArmRuns& runs) {
  std::vector<Panel> charts;
  for (const auto& [split, title] : {std::pair{"train", "training images"}, std::pair{"test", "test images"}}) {
    auto points = curves(runs, all_arms(), {kProbe, 0, std::string(split) + "_accuracy"});
    for (BandPoint& point : points) {
      for (double* value : {&point.mean, &point.low, &point.high}) *value *= 100;
    }
    charts.push_back({title, band_chart(points, styles_of(all_arms()), "training step", "accuracy (%)")});
  }
  return {"b", "Along training",
          "Share of images that the network gets right, on those it was trained on and on new ones. Who is ahead on "
          "the left fits faster; is the same one ahead on the right?",
          panels(charts, 2)};
}

Figure gap_figure(const ArmRuns& runs) {
  std::vector<SeedValue> values;
  for (const Variant& variant : kVariants) {
    const PerSeed gaps = gap(runs, variant);
    for (size_t i = 0; i < gaps.size(); ++i) values.push_back({"", variant.name, runs.setting().seeds[i], gaps[i]});
  }
  return {"c", "The gap at the end",
          "Training accuracy minus test accuracy after the last step; a point a seed, with the mean and its 95 % "
          "interval. By itself it says little: a network that fits the training images better has the larger gap, also "
          "if it is the better one on new images.",
          strip_chart(values, styles_of(all_arms()), "", "training − test accuracy (percentage points)")};
}

std::vector<std::string> answer(const Claims& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto says = [&](const char* id) {
    const JudgedClaim& claim = find_claim(judged, id);
    return fmt::format("{} ({} points)", to_string(claim.verdict), signed_text(claim.interval.mean, 2));
  };
  return {fmt::format("That at equal training loss the network with BN is right on more test images is {}; that it is "
                      "at the end of training, {}; that its gap is smaller then, {}.",
                      says("better-at-equal-loss"), says("better-test-accuracy"), says("smaller-gap")),
          fmt::format("Were it the batch's noise that regularizes, BN should do better at equal loss than layer "
                      "normalization, too: {}.",
                      says("noise-regularizes"))};
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const Claims all = claims(runs);
  return {{equal_figure(runs), along_figure(runs), gap_figure(runs)}, all, {}, answer(all)};
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const Size size = size_at(setting.scale);
  return {
      fmt::format("{}, without normalization, with BN before every ReLU, and with layer normalization there, {}; all "
                  "at rate {}.",
                  size.words, what_was_trained(size, setting), rate_at(setting.scale)),
      "The paper gives no experiment of its own for this sentence: it removed dropout from Inception and saw no "
      "harm. bnlab has no dropout; here the question is put to networks without it."};
}

}  // namespace

Experiment results_generalization() {
  return {
      "results-generalization",
      "Does BN regularize?",
      {"M8"},
      "Ioffe & Szegedy 2015, Batch Normalization (arXiv 1502.03167)",
      "section 3.4 (no figure of theirs)",
      "Does a network with BN do better on new images than one that fits the training images equally well without it?",
      runs_of(all_arms()),
      what_was_run,
      findings,
      {.chapter = Chapter::kResults,
       .plainly = "A network that learns its training images by heart need not be good at new ones. Networks with BN "
                  "and without are compared where they fit the training images equally well: which is right on more "
                  "new ones?",
       .headline = "better-at-equal-loss",
       .in_short = "BN regularizes: at the same training loss the network with it does better on new images."}};
}

}  // namespace bnlab
