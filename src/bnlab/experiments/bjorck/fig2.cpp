// How a layer's gradient is distributed before training, with BN and without: its size, and its tails. Bjorck et al.
// 2018, Fig. 2. Run it: bnlab reproduce --only bjorck-fig2
//
// The paper shows two histograms and no number. Here tails are told by Hill's estimate (probe gradient-distribution) of
// the 5 % largest magnitudes, with other cuts beside it. "Heavy" is what is heavier than an exponential tail, the usual
// meaning of the word; an estimate at a cut is compared with what exponential magnitudes give at that cut, since at any
// cut that leaves something light tails, too, give a number above 0. That a network without BN has the heavier tails
// and that they are heavy are two claims, since either may hold without the other.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "bnlab/experiments/bjorck/at_start.h"
#include "bnlab/study/curves.h"

namespace bnlab {
namespace bjorck {
namespace {

constexpr char kDistribution[] = "gradient-distribution", kBeforeTraining[] = "before training, step 0";
const std::string kHeavyQuote =
    "(Fig. 2: without BN the gradients are distributed with heavy tails, with BN they are concentrated around the "
    "mean; "
    "paraphrased.)";

std::string hill_name(int64_t per_mille) {
  return fmt::format("hill_{}", per_mille);
}

/// What Hill's estimate tends to for the share `cut` of largest magnitudes: E ln(|X| / t) beyond t.
double hill_of_exponential(double cut) {
  return -std::expint(std::log(cut)) / cut;  // t = -ln cut; e^t E_1(t)
}
double hill_of_normal(double cut) {
  constexpr double kStep = 1e-4, kFar = 12;
  double t = kFar, sum = 0;  // ∫ P(|X| > u)/u du / cut, from t with P(|X| > t) = cut
  for (; std::erfc(t / std::numbers::sqrt2) < cut; t -= kStep) sum += std::erfc(t / std::numbers::sqrt2) / t * kStep;
  return sum / cut;
}

struct LayerClaims {
  const ArmRuns& runs;
  SeenLayer layer;

  const StartArms& arms() const { return at_start(); }
  PerSeed of(const Arm& arm, const std::string& name) const {
    return at_step_0(runs, arm, {kDistribution, layer.number, name});
  }
  std::string window() const { return fmt::format("{}, layer {}", kBeforeTraining, layer.number); }
  std::pair<Claim, Evidence> claim(const std::vector<Arm>& of_arms, const PerSeed& effects, Claim said) const {
    said.window = window();
    return {std::move(said),
            paired(runs, of_arms, {signal_arrives(runs, of_arms, {{kDistribution, layer.number, "norm"}})}, effects)};
  }

  std::pair<Claim, Evidence> larger(const std::string& id, Rank rank) const {
    return claim(arms().both(), log_ratio(of(arms().none, "norm"), of(arms().bn, "norm")),
                 {.id = id,
                  .sentence = fmt::format(
                      "Before training, the gradient of the {} layer is larger without BN than with.", layer.name),
                  .quote = "(Fig. 2: without BN gradients are almost two orders of magnitude larger; paraphrased.)",
                  .statistic = "ln of the ratio, no BN to BN, of the L2 norm of the gradient of the layer's weights",
                  .window = {},
                  .unit = "log ratio",
                  .side = Side::above(0),
                  .paper_value = layer.name == "middle" ? std::optional(std::log(100)) : std::nullopt,
                  .rank = rank});
  }

  std::pair<Claim, Evidence> heavier(const std::string& id, int64_t per_mille, Rank rank) const {
    return claim(
        arms().both(), minus(of(arms().none, hill_name(per_mille)), of(arms().bn, hill_name(per_mille))),
        {.id = id,
         .sentence = fmt::format(
             "Before training, the tails of the {} layer's gradient are heavier without BN "
             "than with{}.",
             layer.name,
             per_mille == kTailCut ? "" : fmt::format(", at the cut of {} %", 0.1 * static_cast<double>(per_mille))),
         .quote = kHeavyQuote,
         .statistic = fmt::format("Hill's estimate (1/tail index) from the {} % largest magnitudes of the "
                                  "gradient's elements, no BN minus BN",
                                  0.1 * static_cast<double>(per_mille)),
         .window = {},
         .unit = "1/tail index",
         .side = Side::above(0),
         .paper_value = {},
         .rank = rank});
  }

  std::pair<Claim, Evidence> against_exponential(const Arm& arm, bool above, const std::string& id,
                                                 const std::string& sentence) const {
    const double bound = hill_of_exponential(1e-3 * kTailCut);
    return claim(
        {arm}, of(arm, hill_name(kTailCut)),
        {.id = id,
         .sentence = sentence,
         .quote = kHeavyQuote,
         .statistic = fmt::format("Hill's estimate (1/tail index) from the {} % largest magnitudes; bound: what "
                                  "magnitudes with an exponential tail give at this cut",
                                  0.1 * static_cast<double>(kTailCut)),
         .window = {},
         .unit = "1/tail index",
         .side = above ? Side::above(bound) : Side::below(bound),
         .paper_value = {},
         .rank = Rank::kPrimary});
  }

  std::pair<Claim, Evidence> more_peaked() const {
    return claim(
        arms().both(), minus(of(arms().none, "kurtosis"), of(arms().bn, "kurtosis")),
        {.id = "more-kurtosis-without-bn",
         .sentence = fmt::format("The {} layer's gradient has more excess kurtosis without BN than with.", layer.name),
         .quote = kHeavyQuote,
         .statistic = "m4/m2² − 3 over the gradient's elements, no BN minus BN",
         .window = {},
         .unit = "excess kurtosis",
         .side = Side::above(0),
         .paper_value = {}});
  }
};

std::vector<std::pair<Claim, Evidence>> fig2_claims(const ArmRuns& runs) {
  const Scale scale = runs.setting().scale;
  const LayerClaims middle{runs, seen_layer(scale, "middle")};
  std::vector<std::pair<Claim, Evidence>> all = {
      middle.larger("larger-without-bn", Rank::kPrimary),
      middle.heavier("heavier-without-bn", kTailCut, Rank::kPrimary),
      middle.against_exponential(at_start().none, true, "heavy-without-bn",
                                 "Before training, the tails of the middle layer's gradient are heavy without BN: "
                                 "heavier than exponential."),
      middle.against_exponential(at_start().bn, false, "light-with-bn",
                                 "With BN they are not: they are lighter than exponential."),
      middle.more_peaked()};
  for (const int64_t cut : {10, 20, 100}) {
    all.push_back(middle.heavier(fmt::format("heavier-without-bn-cut-{}", cut), cut, Rank::kSecondary));
  }
  for (const char* name : {"low", "high"}) {
    const LayerClaims layer{runs, seen_layer(scale, name)};
    all.push_back(layer.larger(fmt::format("larger-without-bn-{}", name), Rank::kSecondary));
    all.push_back(layer.heavier(fmt::format("heavier-without-bn-{}", name), kTailCut, Rank::kSecondary));
  }
  return all;
}

/// The elements of the middle layer's gradient, of all seeds. `scaled`: each run's in its own standard deviations.
std::vector<HistogramSample> elements(const ArmRuns& runs, bool scaled) {
  const int64_t layer = deep_network(runs.setting().scale).middle();
  std::vector<HistogramSample> samples;
  for (const Arm& arm : at_start().both()) {
    HistogramSample& sample = samples.emplace_back(HistogramSample{"", arm.name(), {}});
    for (RunReader* run : runs.of(arm)) {
      const double deviation = run->scalar_at({kDistribution, layer, "deviation"}, 0).value_or(NAN);
      for (const ArrayRecord& record : run->arrays({kDistribution, layer, "quantiles"})) {
        for (const double value : record.as_doubles()) {
          sample.values.push_back(scaled ? value / deviation : std::abs(value));
        }
      }
    }
  }
  return samples;
}

/// From a millionth of the largest magnitude on: what is smaller would take most of a logarithmic axis.
HistogramOptions size_options(const std::vector<HistogramSample>& magnitudes) {
  HistogramOptions options{.bins = 60, .log_x = true, .shares = true};
  double most = 0;
  for (const HistogramSample& sample : magnitudes) {
    for (const double value : sample.values) raise_to(most, value);
  }
  if (most > 0 && std::isfinite(most)) options.range = {1e-6 * most, most};
  return options;
}

Figure shape_figure(const ArmRuns& runs) {
  const std::vector<HistogramSample> magnitudes = elements(runs, false);
  constexpr double kReach = 8;  // standard deviations
  return {
      "a", "The elements of one layer's gradient, before training",
      fmt::format("The gradient of the weights of layer {}, the middle one. Left: how large its elements are "
                  "(magnitudes, logarithmic axis): the further right, the larger the gradient. Right: the shape of "
                  "their distribution, each network in its own standard deviations; the vertical axis is "
                  "logarithmic, so that rare large elements are seen. A bell-shaped (normal) distribution would "
                  "bend down like a dome and end near ±4; heavy tails run out straight or ever flatter, far to both "
                  "sides. The paper: blue, without BN, far right on the left, and with the longer tails on the "
                  "right. What lies beyond ±{}, or below a millionth of the largest, is not drawn. All seeds together.",
                  deep_network(runs.setting().scale).middle(), kReach),
      panels({{"size", histogram_chart(magnitudes, styles_of(at_start().both()),
                                       "|element of the gradient| (logarithmic)", size_options(magnitudes))},
              {"shape",
               histogram_chart(elements(runs, true), styles_of(at_start().both()), "element / standard deviation",
                               {.bins = 64, .log_counts = true, .shares = true, .range = std::pair{-kReach, kReach}})}},
             2)};
}

Figure tail_figure(const ArmRuns& runs) {
  const int64_t layer = deep_network(runs.setting().scale).middle();
  const ArmStyle exponential{"exponential tail", colors::kInk, {6, 4}},
      normal{"normal distribution", colors::kGrey, {2, 3}};
  std::vector<BandPoint> points;
  for (const Arm& arm : at_start().both()) {
    for (const int64_t cut : kTailCuts) {
      if (runs.of(arm).empty()) continue;
      points.push_back(band_point(arm.name(), 0.1 * static_cast<double>(cut),
                                  at_step_0(runs, arm, {kDistribution, layer, hill_name(cut)})));
    }
  }
  for (const int64_t cut : kTailCuts) {
    if (points.empty()) break;
    const double share = 1e-3 * static_cast<double>(cut);
    points.push_back(band_point(exponential.arm, 100 * share, {hill_of_exponential(share)}));
    points.push_back(band_point(normal.arm, 100 * share, {hill_of_normal(share)}));
  }
  std::vector<ArmStyle> styles = styles_of(at_start().both());
  styles.insert(styles.end(), {exponential, normal});
  return {
      "b", "How heavy the tails are, by where the tail begins",
      "Hill's estimate from the largest 0.5 to 20 % of the elements' magnitudes: the reciprocal of the tail index α, "
      "if magnitudes above t are as frequent as t^−α. Higher is heavier. No cut is the right one: a true power law "
      "would give a level line; light tails (dashed: exponential, dotted: normal) fall to the left. Claims go by "
      "5 %. Compare the two networks, and each with the dashed line. Line: mean over seeds, band: lowest to highest.",
      band_chart(points, styles, "share of the elements taken for the tail (%)", "1 / tail index",
                 {.points = true, .log_x = true})};
}

Figure layers_figure(const ArmRuns& runs) {
  std::vector<SeedValue> values;
  for (const SeenLayer& layer : seen_layers(runs.setting().scale)) {
    for (const Arm& arm : at_start().both()) {
      const PerSeed norms = at_step_0(runs, arm, {kDistribution, layer.number, "norm"});
      for (size_t i = 0; i < norms.size(); ++i) {
        values.push_back({fmt::format("layer {}", layer.number), arm.name(), runs.setting().seeds[i], norms[i]});
      }
    }
  }
  return {
      "c", "The size of the gradient in a low, the middle and a high layer",
      "L2 norm of the gradient of the layer's weights; a dot a seed, with mean and 95 % interval of the logarithms. "
      "How far right of red does blue lie, and is it so in all layers?",
      strip_chart(values, styles_of(at_start().both()), "", "norm of the gradient (logarithmic)", {.log = true})};
}

std::vector<std::string> fig2_was_run(const Setting& setting) {
  return {
      what_was_started(setting),
      fmt::format("Looked at once, before the first step: the gradient of one batch's mean loss with respect to the "
                  "weights of layer {} (the paper's #55 of 110) and of layers {} and {}. A layer's elements are not "
                  "independent of each other: those of a channel are large or small together. So seeds, not "
                  "elements, are what intervals go by.",
                  deep_network(setting.scale).middle(), deep_network(setting.scale).low(),
                  deep_network(setting.scale).high())};
}

Findings fig2_findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  return {{shape_figure(runs), tail_figure(runs), layers_figure(runs)}, fig2_claims(runs), {}};
}

}  // namespace
}  // namespace bjorck

Experiment bjorck_fig2() {
  return {"bjorck-fig2",
          "A gradient's elements, with BN and without",
          {"M20"},
          bjorck::kSource,
          "Fig. 2",
          "Before training, is a deep network's gradient larger and heavier-tailed without BN?",
          runs_of(bjorck::at_start().both()),
          bjorck::fig2_was_run,
          bjorck::fig2_findings,
          {.plainly = "A network of 110 layers is given one batch of images before it has learned anything, and the "
                      "numbers by which its middle layer would be changed are sorted by size. The picture shows how "
                      "large they are without BN and with it, and whether a few are far larger than the rest."}};
}

}  // namespace bnlab
