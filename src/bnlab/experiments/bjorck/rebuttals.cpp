// Later results that test what the papers say of gradients, signals and weights with BN.
// Run it: bnlab reproduce --only rebuttals
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "bnlab/experiments/bjorck/bjorck.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

const std::string kRank = "activation-rank", kBack = "gradient-flow", kLength = "effective-rate";
constexpr int64_t kLayers = 60, kConvolutions = 8;
constexpr double kRate = 0.1, kDecay = 5e-3;
constexpr double kCollapsed = 2;      // stable ranks below it count as collapsed: ours
constexpr double kOrthogonal = 0.01;  // cosines below it count as a right angle: ours
/// √(π/(π − 1)) a layer, see results_depth.cpp.
const double kTheory = 0.5 * std::log(std::numbers::pi / (std::numbers::pi - 1));
const double kAsTheory = std::log(1.05);  // 5 % a layer: ours

struct RebuttalProtocol {
  int64_t width, images;  ///< of the deep perceptron
  double conv_width;      ///< and of the network that is trained
  int64_t pool, batch, steps, every;
};

RebuttalProtocol rebuttal_protocol(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {8, 16, 0.0625, 2, 16, 12, 4};
    case Scale::kQuick:
      return {100, 128, 0.125, 2, 32, 800, 40};
    case Scale::kStandard:
      return {300, 256, 0.25, 1, 128, 3000, 100};
    case Scale::kPaper:
      return {1000, 512, 1, 1, 128, 15000, 500};
  }
  throw std::logic_error("no such scale");
}

Arm started(const std::string& name, const std::string& norm, double init_scale, const std::string& color) {
  return {{name, color}, [=](const Setting& setting, int64_t seed) {
            const RebuttalProtocol p = rebuttal_protocol(setting.scale);
            TrainSpec spec;
            spec.data = {setting.data.set, setting.data.digest};
            spec.model.name = "mlp";
            spec.model.options = {{"layers", kLayers}, {"width", static_cast<double>(p.width)}};
            spec.model.norm.kind = norm;
            spec.model.init = "glorot-normal";
            spec.model.init_scale = init_scale;
            spec.optimizer.lr = 1e-6;  // of the one step, which is made after the look
            spec.batch = p.images;
            spec.steps = 1;
            spec.seed = seed;
            spec.probes.push_back({kBack, 0, 1, false, Json::object()});
            std::vector<int64_t> all(kLayers);
            std::iota(all.begin(), all.end(), 1);
            spec.probes.push_back({kRank, 0, 1, false, {{"layers", all}, {"images", p.images}}});
            return spec;
          }};
}
const Arm kDeepBn = started("BN", "batch", 1, colors::kRed),
          kDeepHe = started("no BN, He", "none", std::numbers::sqrt2, colors::kGreen),
          kDeepGlorot = started("no BN, Glorot", "none", 1, colors::kBlue);
const std::vector<Arm> kStarted = {kDeepBn, kDeepHe, kDeepGlorot};

Arm trained_at(const std::string& name, const std::string& norm, double decay, const std::string& color,
               const std::vector<int>& dash) {
  return {{name, color, dash}, [=](const Setting& setting, int64_t seed) {
            const RebuttalProtocol p = rebuttal_protocol(setting.scale);
            TrainSpec spec;
            spec.data = {setting.data.set, setting.data.digest};
            spec.data.pool = p.pool;
            spec.data.pad_to = std::max<int64_t>(32, setting.data.shape.size) / p.pool;
            spec.model.name = "vgg11";
            spec.model.options = {{"width", p.conv_width}, {"pools", p.pool == 1 ? 5 : 4}};
            spec.model.norm.kind = norm;
            spec.optimizer.lr = kRate;
            spec.optimizer.weight_decay = decay;
            spec.batch = p.batch;
            spec.steps = p.steps;
            spec.seed = seed;
            spec.probes.push_back({kLength, 0, p.every, false, Json::object()});
            return spec;
          }};
}
const Arm kFree = trained_at("VGG-A, BN", "batch", 0, colors::kRed, {}),
          kDecayed = trained_at("VGG-A, BN, weight decay", "batch", kDecay, colors::kRed, {6, 4}),
          kWithout = trained_at("VGG-A, no BN", "none", 0, colors::kBlue, {});
const std::vector<Arm> kTrained = {kFree, kDecayed, kWithout};

std::vector<std::string> what_was_tested(const Setting& setting) {
  const RebuttalProtocol p = rebuttal_protocol(setting.scale);
  return {
      fmt::format(
          "Before training: perceptrons of {} hidden layers of {} ReLU units on {}, pixels z-scored, {} images; "
          "with BN before each ReLU (γ = 1, β = 0) on Glorot's weights, and without BN on the same weights, as "
          "they are (Glorot) and √2 times as large (He et al. 2015, made for ReLUs). What a layer's activation "
          "gets is a row of {} numbers an image. The stable rank of those rows, the sum of squared singular "
          "values over the largest one, counts the directions in which images differ: 1 means that all images "
          "have become multiples of one. Gradients are those of the layers' linear maps, in double.",
          kLayers, p.width, setting.data.title, p.images, p.width),
      fmt::format("In training: VGG-A (8 convolutions) at {} of its width{}, plain SGD at rate {}, batch {}, {} steps, "
                  "with BN behind every convolution, with BN and weight decay {}, and without BN. The angle is that "
                  "between a convolution's weights and the gradient of the batch's loss; the effective rate is the "
                  "learning rate over the squared length of the weights.",
                  p.conv_width, p.pool == 1 ? "" : fmt::format(" on means of {0}×{0} pixels", p.pool), kRate, p.batch,
                  p.steps, kDecay)};
}

// Before training.

double at_start(RunReader& run, const std::string& probe, int64_t layer, const std::string& name) {
  return run.scalar_at({probe, layer, name}, 0).value_or(NAN);
}

PerSeed last_layer(const ArmRuns& runs, const Arm& arm, const std::string& name) {
  return each(runs, arm, [&](RunReader& run) { return at_start(run, kRank, kLayers, name); });
}

/// ln of the factor by which a gradient grows a layer, over the middle half of the layers.
PerSeed growth_back(const ArmRuns& runs, const Arm& arm) {
  constexpr int64_t kFirst = kLayers / 4 + 1, kLast = 3 * kLayers / 4;
  return each(runs, arm, [&](RunReader& run) {
    return std::log(at_start(run, kBack, kFirst, "linear") / at_start(run, kBack, kLast, "linear")) /
           static_cast<double>(kLast - kFirst);
  });
}

// In training: means over the convolutions.

/// Of the looks in the window, each put through `value`.
PerSeed over_layers(const ArmRuns& runs, const Arm& arm, const std::string& name,
                    const std::function<double(const std::vector<double>& looks)>& value) {
  return each(runs, arm, [&](RunReader& run) {
    double sum = 0;
    for (int64_t layer = 1; layer <= kConvolutions; ++layer) sum += value(run.scalars({kLength, layer, name}).values);
    return sum / static_cast<double>(kConvolutions);
  });
}

PerSeed mean_cosine(const ArmRuns& runs, const Arm& arm) {
  return over_layers(runs, arm, "cosine", [](const std::vector<double>& looks) {
    std::vector<double> sizes;
    for (const double cosine : looks) sizes.push_back(std::abs(cosine));
    return mean_of(sizes);
  });
}

/// ln of the length of the weights at the last look over that at the first.
PerSeed lengthening(const ArmRuns& runs, const Arm& arm) {
  return over_layers(runs, arm, "norm", [](const std::vector<double>& looks) {
    return looks.empty() ? NAN : std::log(looks.back() / looks.front());
  });
}

PerSeed log_last_rate(const ArmRuns& runs, const Arm& arm) {
  return over_layers(runs, arm, "effective_rate",
                     [](const std::vector<double>& looks) { return looks.empty() ? NAN : std::log(looks.back()); });
}

using Rebuttal = std::pair<Claim, Evidence>;

const std::string kDaneshmand =
    "(Daneshmand et al. 2020: without BN the rank of a deep network's representations collapses as depth grows; with "
    "BN it does not, whatever the depth; paraphrased.)";
const std::string kLaarhoven =
    "(van Laarhoven 2017: with normalization the loss does not depend on the weights' scale; weight decay does not "
    "regularize, it sets the effective learning rate; paraphrased.)";

std::vector<Rebuttal> rank_claims(const ArmRuns& runs) {
  const std::string window = fmt::format("before training, layer {}", kLayers);
  const auto rank = [&](const Arm& arm) { return last_layer(runs, arm, "stable_rank"); };
  const auto cosine = [&](const Arm& arm) { return last_layer(runs, arm, "cosine"); };
  return {{{.id = "rank-collapses",
            .sentence = "Without BN (weights as He et al. draw them) a deep network makes all images alike: in its "
                        "last layer they span fewer than two directions.",
            .quote = kDaneshmand,
            .statistic = "stable rank of what the last layer's activation gets, without BN, He; the bound, 2, is ours",
            .window = window,
            .unit = "directions",
            .side = Side::below(kCollapsed),
            .paper_value = {},
            .rank = Rank::kPrimary},
           paired(runs, {kDeepHe}, {}, rank(kDeepHe))},
          {{.id = "bn-keeps-rank",
            .sentence = "With BN the images of the last layer span more directions than without.",
            .quote = kDaneshmand,
            .statistic = "ln of the ratio of stable ranks in the last layer, with BN to without (He)",
            .window = window,
            .unit = "log ratio",
            .side = Side::above(0),
            .paper_value = {},
            .rank = Rank::kPrimary},
           paired(runs, {kDeepBn, kDeepHe}, {}, log_ratio(rank(kDeepBn), rank(kDeepHe)))},
          {{.id = "images-align",
            .sentence = "Without BN two images' values in the last layer point in more similar directions than with.",
            .quote = kDaneshmand,
            .statistic = "mean cosine between two images' values in the last layer, without BN (He) minus with BN",
            .window = window,
            .unit = "cosine",
            .side = Side::above(0),
            .paper_value = {}},
           paired(runs, {kDeepHe, kDeepBn}, {}, minus(cosine(kDeepHe), cosine(kDeepBn)))}};
}

Rebuttal growth_claim_of_theory(const ArmRuns& runs) {
  return {{.id = "gradients-grow",
           .sentence = "With BN and ReLUs a gradient grows 1.21-fold with each layer on its way back, as theory says, "
                       "to within 5 %: BN does not keep gradients from exploding.",
           .quote = "(Yang et al. 2019, on ReLUs: the gradient's square grows by π/(π − 1) a layer, in wide networks "
                    "and large batches; paraphrased.)",
           .statistic = "with BN, ln of the factor by which the norm of the gradient grows from a layer to the one "
                        "before it, over the middle half of the layers; the bounds, 5 % a layer, are ours",
           .window = "before training",
           .unit = "log ratio a layer",
           .side = Side::within(kTheory - kAsTheory, kTheory + kAsTheory),
           .paper_value = kTheory,
           .rank = Rank::kPrimary},
          paired(runs, {kDeepBn}, {}, growth_back(runs, kDeepBn))};
}

std::vector<Rebuttal> scale_claims(const ArmRuns& runs) {
  const RebuttalProtocol p = rebuttal_protocol(runs.setting().scale);
  const Window half{p.steps / 2, p.steps};
  const std::string window = fmt::format("all convolutions, every {} steps", p.every), last = "the last look";
  return {{{.id = "orthogonal",
            .sentence = "With BN a gradient stands at a right angle to the weights that it is for: BN does not see "
                        "how long they are.",
            .quote = kLaarhoven,
            .statistic = "with BN, mean size of the cosine between a convolution's weights and its gradient; the "
                         "bound, 0.01, is ours",
            .window = window,
            .unit = "cosine",
            .side = Side::below(kOrthogonal),
            .paper_value = 0,
            .rank = Rank::kPrimary},
           paired(runs, {kFree}, {learned(runs, {kFree}, half)}, mean_cosine(runs, kFree))},
          {{.id = "not-without-bn",
            .sentence = "Without BN it does not.",
            .quote = kLaarhoven,
            .statistic = "without BN, mean size of the cosine between a convolution's weights and its gradient; the "
                         "bound, 0.01, is ours",
            .window = window,
            .unit = "cosine",
            .side = Side::above(kOrthogonal),
            .paper_value = {}},
           paired(runs, {kWithout}, {learned(runs, {kWithout}, half)}, mean_cosine(runs, kWithout))},
          {{.id = "weights-grow",
            .sentence = "With BN and no weight decay the weights grow longer, and so turn more and more slowly.",
            .quote = kLaarhoven,
            .statistic = "with BN, ln of the length of a convolution's weights at the last look over that at the "
                         "first, mean over convolutions",
            .window = last,
            .unit = "log ratio",
            .side = Side::above(0),
            .paper_value = {}},
           paired(runs, {kFree}, {learned(runs, {kFree}, half)}, lengthening(runs, kFree))},
          {{.id = "decay-sets-the-rate",
            .sentence = "Weight decay keeps the effective learning rate of a network with BN up.",
            .quote = kLaarhoven,
            .statistic = "ln of the ratio, with decay to without, of rate/‖w‖² at the last look, mean over "
                         "convolutions",
            .window = last,
            .unit = "log ratio",
            .side = Side::above(0),
            .paper_value = {}},
           paired(runs, {kDecayed, kFree}, {learned(runs, {kDecayed, kFree}, half)},
                  minus(log_last_rate(runs, kDecayed), log_last_rate(runs, kFree)))}};
}

std::vector<Rebuttal> all_claims(const ArmRuns& runs) {
  std::vector<Rebuttal> all = rank_claims(runs);
  all.push_back(growth_claim_of_theory(runs));
  for (Rebuttal& claim : scale_claims(runs)) all.push_back(std::move(claim));
  return all;
}

Json by_depth(const ArmRuns& runs, const std::string& probe, const std::string& name, const std::string& y_title,
              bool logarithmic) {
  std::vector<BandPoint> points;
  for (const Arm& arm : kStarted) {
    for (int64_t layer = 1; layer <= kLayers && !runs.of(arm).empty(); ++layer) {
      points.push_back(band_point(arm.name(), static_cast<double>(layer),
                                  each(runs, arm, [&](RunReader& run) { return at_start(run, probe, layer, name); })));
    }
  }
  return band_chart(points, styles_of(kStarted), "layer (1: next to the images)", y_title, {.log_y = logarithmic});
}

/// A number of each look, mean over convolutions.
Json by_step(const ArmRuns& runs, const std::vector<Arm>& arms, const std::string& name, const std::string& y_title) {
  std::vector<BandPoint> points;
  for (const Arm& arm : arms) {
    const auto& of_arm = runs.of(arm);
    if (of_arm.empty()) continue;
    const std::vector<int64_t> steps = of_arm.front()->scalars({kLength, 1, name}).steps;
    for (size_t look = 0; look < steps.size(); ++look) {
      const PerSeed values = over_layers(runs, arm, name, [&](const std::vector<double>& looks) {
        return look < looks.size() ? std::abs(looks[look]) : NAN;
      });
      points.push_back(band_point(arm.name(), static_cast<double>(steps[look]), values));
    }
  }
  return band_chart(points, styles_of(arms), "training step", y_title, {.log_y = true});
}

std::vector<Figure> figures(const ArmRuns& runs) {
  return {
      {"a", "What is left of the differences between images",
       fmt::format("{} hidden layers, nothing trained. Left: in how many directions the images' values differ (stable "
                   "rank, logarithmic; 1: all images are multiples of one). Right: the mean cosine between two "
                   "images' values; 1 says that the network no longer tells them apart. Red, with BN: a floor that "
                   "holds at any depth; blue and green, without: all alike (the two lie on each other: a factor on the "
                   "weights turns nothing). Line: mean over seeds, band: lowest to "
                   "highest.",
                   kLayers),
       panels({{"directions", by_depth(runs, kRank, "stable_rank", "stable rank (logarithmic)", true)},
               {"likeness", by_depth(runs, kRank, "cosine", "mean cosine", false)}},
              2)},
      {"b", "The price: gradients",
       "The gradient on its way back, from right to left, in the same networks (norm, logarithmic). With BN it grows "
       "by the same factor in every layer; the straight red line is an explosion.",
       by_depth(runs, kBack, "linear", "norm of the gradient (logarithmic)", true)},
      {"c", "Weights and their gradient",
       "Size of the cosine of the angle between a convolution's weights and its gradient (mean over convolutions, "
       "logarithmic). With BN it is near 0, a right angle: the loss does not change when the weights only grow "
       "longer. Without BN it does.",
       by_step(runs, kTrained, "cosine", "cosine (logarithmic)")},
      {"d", "Length of the weights, and what the learning rate is worth",
       "Left: length of a convolution's weights, mean over convolutions. Right: learning rate over the squared length, "
       "which is how fast the direction of weights turns that stand in front of BN. Steps at a right angle make "
       "weights longer and the rate worth less; weight decay (dashed) holds against it, and that is what it does "
       "here. Both logarithmic.",
       panels({{"length", by_step(runs, kTrained, "norm", "‖w‖ (logarithmic)")},
               {"effective rate", by_step(runs, {kFree, kDecayed}, "effective_rate", "rate/‖w‖² (logarithmic)")}},
              2)},
      training_figure("e", runs, kTrained, rebuttal_protocol(runs.setting().scale).steps,
                      "Weight decay, with BN, changes little of what is learned here.")};
}

std::vector<std::string> answer_of(const std::vector<Rebuttal>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto mean = [&](const char* id) { return find_claim(judged, id).interval.mean; };
  const auto verdict = [&](const char* id) { return to_string(find_claim(judged, id).verdict); };
  return {
      fmt::format("That a deep network without BN makes all images alike is {} (stable rank of its last layer {:.2f}); "
                  "that BN keeps them apart, {} ({:.1f} times as many directions). The price, gradients that grow as "
                  "theory says, is {} ({:.3f}-fold a layer, theory {:.3f}).",
                  verdict("rank-collapses"), mean("rank-collapses"), verdict("bn-keeps-rank"),
                  std::exp(mean("bn-keeps-rank")), verdict("gradients-grow"), std::exp(mean("gradients-grow")),
                  std::exp(kTheory)),
      fmt::format("That with BN a gradient stands at a right angle to its weights is {} (mean cosine {:.1g}, without "
                  "BN {:.2g}); that weight decay there keeps the effective rate up, {} ({:.2f} times as high at the "
                  "end).",
                  verdict("orthogonal"), mean("orthogonal"), mean("not-without-bn"), verdict("decay-sets-the-rate"),
                  std::exp(mean("decay-sets-the-rate")))};
}

Findings rebuttal_findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = all_claims(runs);
  return {figures(runs), all, {}, answer_of(all)};
}

}  // namespace

Experiment rebuttals() {
  return {"rebuttals",
          "What later papers found",
          {"B9"},
          "Daneshmand et al. 2020 (arXiv 2003.01652); Yang et al. 2019 (arXiv 1902.08129); van Laarhoven 2017 (arXiv "
          "1706.05350)",
          "no figure of theirs",
          "Does BN keep images apart in a deep network, what does it cost, and what is a learning rate worth for "
          "weights whose length does not count?",
          runs_of(kStarted, kTrained),
          what_was_tested,
          rebuttal_findings,
          {.chapter = Chapter::kWhyItWorks,
           .plainly = "Without BN a deep network, before it is trained, maps all images to nearly the same values; the "
                      "first picture counts how many directions are left in which they differ. The others look at what "
                      "BN does to gradients and to the weights' length.",
           .headline = "bn-keeps-rank",
           .in_short = "In a deep, untrained network BN keeps images apart that otherwise become alike."}};
}

}  // namespace bnlab
