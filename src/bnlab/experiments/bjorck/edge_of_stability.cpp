// How far the loss bends where gradient descent runs, beside the learning rate: at the edge of stability, with BN too?
// Run it: bnlab reproduce --only edge-of-stability
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "bnlab/experiments/bjorck/bjorck.h"
#include "bnlab/experiments/bjorck/hessian.h"
#include "bnlab/study/curves.h"

namespace bnlab {
namespace {

const std::string kCurvature = "curvature";
constexpr double kHighRate = 0.3, kLowRate = kHighRate / 2, kPlainRate = 0.08;
constexpr double kMostLoss = 0.2, kLeastLoss = 0.04;  // ours: well below the start's and well above 0
constexpr int kFewestLooks = 3;
constexpr double kEdge = 1.5;  // ours: values from 1/1.5 to 1.5 count as 1

struct EdgeProtocol {
  int64_t width, pool, images, steps, every;
};

EdgeProtocol edge_protocol(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {16, 2, 32, 12, 3};
    case Scale::kQuick:
      return {32, 2, 1024, 800, 25};  // an odd number: near the edge even and odd steps differ
    case Scale::kStandard:
      return {64, 1, 2048, 2000, 25};
    case Scale::kPaper:
      return {200, 1, 5000, 5000, 25};
  }
  throw std::logic_error("no such scale");
}

/// Gradient descent: every batch holds all images.
Arm descending(const std::string& name, const ArmStyle& style, const std::string& norm, double rate) {
  return {{name, style.color, style.dash}, [norm, rate](const Setting& setting, int64_t seed) {
            const EdgeProtocol p = edge_protocol(setting.scale);
            TrainSpec spec;
            spec.data = {setting.data.set, setting.data.digest};
            spec.data.pool = p.pool;
            spec.data.train_examples = p.images;
            spec.model.name = "mlp";
            spec.model.options = {{"layers", 2}, {"width", static_cast<double>(p.width)}};
            spec.model.norm.kind = norm;
            spec.model.init_scale = std::numbers::sqrt2;  // He's for ReLUs
            spec.optimizer.lr = rate;
            spec.batch = p.images;
            spec.steps = p.steps;
            spec.seed = seed;
            const Json parameters = {{"images", p.images}, {"count", 1},  {"products", 500},
                                     {"tolerance", 0.01},  {"probes", 2}, {"scaled", false}};
            spec.probes.push_back({kCurvature, 0, p.every, true, parameters});
            return spec;
          }};
}
const Arm kHigh = descending("BN, rate 0.3", {"", colors::kRed}, "batch", kHighRate),
          kLow = descending("BN, rate 0.15", {"", colors::kGold}, "batch", kLowRate),
          kPlain = descending("no BN, rate 0.08", {"", colors::kBlue}, "none", kPlainRate);
const std::vector<Arm> kDescending = {kHigh, kLow, kPlain};

/// A mode of an arm's Hessian: "batch" or "population", see probes/curvature.h.
struct Descent {
  Arm arm;
  double rate;
  std::string mode;
  ArmStyle style;
  bjorck::Spectrum spectrum() const { return {arm, mode + "_"}; }
};
const Descent kHighTraining{kHigh, kHighRate, "batch", {"BN, rate 0.3, training mode", colors::kRed}},
    kHighEvaluation{kHigh, kHighRate, "population", {"BN, rate 0.3, evaluation mode", colors::kRed, {6, 4}}},
    kLowTraining{kLow, kLowRate, "batch", {"BN, rate 0.15, training mode", colors::kGold}},
    kLowEvaluation{kLow, kLowRate, "population", {"BN, rate 0.15, evaluation mode", colors::kGold, {6, 4}}},
    kWithoutBn{kPlain, kPlainRate, "batch", {"no BN, rate 0.08", colors::kBlue}};
const std::vector<Descent> kDescents = {kHighTraining, kHighEvaluation, kLowTraining, kLowEvaluation, kWithoutBn};

std::vector<std::string> what_was_run(const Setting& setting) {
  const EdgeProtocol p = edge_protocol(setting.scale);
  return {
      fmt::format("Gradient descent without noise: every step sees all {} training images (the first ones of {}{}, "
                  "z-scored). A perceptron of two hidden layers of {} ReLUs, with BN at rates {} and {}, without BN at "
                  "{}; {} steps. The rates are such that the loss falls from the first step on.",
                  p.images, setting.data.title, p.pool == 1 ? "" : ", reduced to means of 2×2 pixels", p.width,
                  kHighRate, kLowRate, kPlainRate, p.steps),
      fmt::format("Every {} steps the largest eigenvalue λ₁ of the Hessian of the loss that is descended, by Lanczos; "
                  "with BN also in evaluation mode, with the same images' mean and variance as constants. Along a "
                  "direction in which the loss bends by λ, a step of rate η overshoots if ηλ/2 is above 1: on a "
                  "parabola the loss would then rise without end.",
                  p.every),
      fmt::format("Claims are about the looks at which the loss lies between {} and {}: later it is nearly 0, and the "
                  "curvature of a cross-entropy that is nearly 0 vanishes with it.",
                  kMostLoss, kLeastLoss)};
}

/// ηλ₁/2 at the looks of the window.
std::vector<double> beside_the_edge(RunReader& run, const Descent& descent) {
  const Series loss = run.scalars({kCurvature, 0, "batch_loss"}),
               top = run.scalars({kCurvature, 0, descent.mode + "_top_1"});
  std::vector<double> values;
  for (size_t i = 0; i < std::min(loss.values.size(), top.values.size()); ++i) {
    if (loss.values[i] <= kMostLoss && loss.values[i] >= kLeastLoss) {
      values.push_back(descent.rate * top.values[i] / 2);
    }
  }
  return values;
}

/// exp of the mean of ln ηλ₁/2: of a line that at times leaps up, nearer to where it mostly is than the mean.
PerSeed usual_beside_the_edge(const ArmRuns& runs, const Descent& descent) {
  return each(runs, descent.arm, [&](RunReader& run) {
    std::vector<double> logs = beside_the_edge(run, descent);
    for (double& value : logs) value = std::log(value);
    return std::exp(mean_of(logs));
  });
}

Precondition looked_often(const ArmRuns& runs, const std::vector<Descent>& descents) {
  size_t fewest = SIZE_MAX;
  for (const Descent& descent : descents) {
    for (RunReader* run : runs.of(descent.arm)) fewest = std::min(fewest, beside_the_edge(*run, descent).size());
  }
  return {"looks-in-the-window", fewest >= kFewestLooks,
          fmt::format("fewest looks of a run at a loss between {} and {}: {} (asked: {})", kMostLoss, kLeastLoss,
                      fewest == SIZE_MAX ? 0 : fewest, kFewestLooks)};
}

using EdgeClaim = std::pair<Claim, Evidence>;

Evidence edge_evidence(const ArmRuns& runs, const std::vector<Descent>& descents, const PerSeed& effects) {
  std::vector<Arm> arms;
  std::vector<bjorck::Spectrum> spectra;
  for (const Descent& descent : descents) {
    arms.push_back(descent.arm);
    spectra.push_back(descent.spectrum());
  }
  return paired(runs, arms, {looked_often(runs, descents), bjorck::eigenvalues_converged(runs, spectra)}, effects);
}

const std::string kCohen =
    "(Cohen et al. 2021, Gradient Descent on Neural Networks Typically Occurs at the Edge of Stability: λ₁ rises until "
    "it reaches 2/η, and then hovers there, with BN too; paraphrased.)";

std::vector<EdgeClaim> edge_claims(const ArmRuns& runs) {
  const auto at_the_edge = [&](const Descent& descent, const std::string& id, const std::string& sentence,
                               const std::string& quote, Rank rank) -> EdgeClaim {
    return {
        {.id = id,
         .sentence = sentence,
         .quote = quote,
         .statistic = fmt::format("geometric mean of ηλ₁/2 over the looks, \"{}\"; the bounds, 1/1.5 and 1.5, are ours",
                                  descent.style.arm),
         .window = fmt::format("looks at a loss between {} and {}", kMostLoss, kLeastLoss),
         .unit = "ηλ₁/2",
         .side = Side::within(1 / kEdge, kEdge),
         .paper_value = 1,
         .rank = rank},
        edge_evidence(runs, {descent}, usual_beside_the_edge(runs, descent))};
  };
  const double twice = std::log(2), near = std::log(kEdge);
  EdgeClaim evaluation = at_the_edge(
      kHighEvaluation, "evaluation-at-the-edge", "In evaluation mode, where the common tools look, it is 2/η as well.",
      "(No source says it. Tools that measure a network with BN in evaluation mode take it for granted.)",
      Rank::kPrimary);
  evaluation.first.paper_value = {};
  return {at_the_edge(kHighTraining, "bn-at-the-edge",
                      "With BN gradient descent runs where the largest eigenvalue of the Hessian, in training mode, is "
                      "2/η: at the edge of stability.",
                      kCohen, Rank::kPrimary),
          at_the_edge(kWithoutBn, "plain-at-the-edge", "So it does without BN.", kCohen, Rank::kPrimary),
          std::move(evaluation),
          {{.id = "rate-sets-the-sharpness",
            .sentence = "At half the learning rate a network with BN comes to places that bend about twice as sharply.",
            .quote = kCohen,
            .statistic = "ln of the ratio of λ₁ in training mode, at the lower rate to the higher; the bounds, a "
                         "factor of 1.5 around 2, are ours",
            .window = fmt::format("looks at a loss between {} and {}", kMostLoss, kLeastLoss),
            .unit = "log ratio",
            .side = Side::within(twice - near, twice + near),
            .paper_value = twice,
            .rank = Rank::kPrimary},
           edge_evidence(runs, {kLowTraining, kHighTraining},
                         [&] {
                           PerSeed ratios = log_ratio(usual_beside_the_edge(runs, kLowTraining),
                                                      usual_beside_the_edge(runs, kHighTraining));
                           for (double& ratio : ratios)
                             ratio += std::log(kHighRate / kLowRate);  // of λ₁ instead of ηλ₁/2
                           return ratios;
                         }())},
          at_the_edge(kLowTraining, "bn-at-the-edge-low", "With BN at half the rate, too, λ₁ is 2/η.", kCohen,
                      Rank::kSecondary)};
}

/// A number of each look at each of the descents.
std::vector<BandPoint> along_descents(
    const ArmRuns& runs, const std::vector<Descent>& descents,
    const std::function<double(RunReader& run, const Descent&, int64_t step)>& number) {
  std::vector<BandPoint> points;
  for (const Descent& descent : descents) {
    const auto& of_arm = runs.of(descent.arm);
    if (of_arm.empty()) continue;
    for (const int64_t step : of_arm.front()->scalars({kCurvature, 0, "batch_loss"}).steps) {
      points.push_back(band_point(descent.style.arm, static_cast<double>(step),
                                  each(runs, descent.arm, [&](RunReader& run) { return number(run, descent, step); })));
    }
  }
  return points;
}

Figure edge_figure(const ArmRuns& runs) {
  std::vector<BandPoint> points =
      along_descents(runs, kDescents, [](RunReader& run, const Descent& descent, int64_t step) {
        const Key top{kCurvature, 0, descent.mode + "_top_1"};
        return descent.rate / 2 * run.scalar_at(top, step).value_or(NAN);
      });
  std::vector<ArmStyle> styles;
  for (const Descent& descent : kDescents) styles.push_back(descent.style);
  const ArmStyle edge{"the edge, λ₁ = 2/η", colors::kInk, {2, 3}};
  styles.push_back(edge);
  const auto last = static_cast<double>(edge_protocol(runs.setting().scale).steps);
  for (const double step : {0.0, last}) points.push_back({edge.arm, step, 1, 1, 1});
  return {"a", "Where gradient descent runs",
          "ηλ₁/2: how sharply the loss bends in its sharpest direction, as a share of what a step of this rate can "
          "bear on a parabola (1, the dotted line). A solid line that rises to 1 and stays says that descent makes the "
          "loss as sharp as the rate allows, and not sharper; it falls again when the loss nears 0. Dashed: the same "
          "networks with BN measured in evaluation mode, as the common tools do. Line: mean over seeds, band: lowest "
          "to highest.",
          band_chart(points, styles, "training step", "ηλ₁/2 (logarithmic)", {.log_y = true})};
}

Figure descent_figure(const ArmRuns& runs) {
  const std::vector<Descent> each_arm = {kHighTraining, kLowTraining, kWithoutBn};
  std::vector<ArmStyle> styles;
  for (const Descent& descent : each_arm) styles.push_back(descent.style);
  const auto points = along_descents(runs, each_arm, [](RunReader& run, const Descent&, int64_t step) {
    return run.scalar_at({kCurvature, 0, "batch_loss"}, step).value_or(NAN);
  });
  return {
      "b", "The loss meanwhile",
      fmt::format("Loss of all images that are trained on, at the looks. Claims are about losses between {} and {}. "
                  "Beyond the edge it no longer falls with every step, and yet it falls.",
                  kMostLoss, kLeastLoss),
      band_chart(points, styles, "training step", "loss (logarithmic)", {.log_y = true})};
}

std::vector<std::string> edge_answer(const std::vector<EdgeClaim>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto mean = [&](const char* id) { return find_claim(judged, id).interval.mean; };
  const auto verdict = [&](const char* id) { return to_string(find_claim(judged, id).verdict); };
  return {fmt::format("That gradient descent with BN runs at the edge of stability is {} (ηλ₁/2 = {:.2f} in training "
                      "mode), and without BN {} ({:.2f}). In evaluation mode the same networks with BN show {:.2f}; "
                      "that this is 1, too, is {}.",
                      verdict("bn-at-the-edge"), mean("bn-at-the-edge"), verdict("plain-at-the-edge"),
                      mean("plain-at-the-edge"), mean("evaluation-at-the-edge"), verdict("evaluation-at-the-edge")),
          fmt::format(
              "With BN at half the rate λ₁ is {:.2f} times as large; that it is about twice, so that it is the rate "
              "that sets how flat the place is, is {}.",
              std::exp(mean("rate-sets-the-sharpness")), verdict("rate-sets-the-sharpness"))};
}

Findings edge_findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = edge_claims(runs);
  return {{edge_figure(runs), descent_figure(runs)}, all, {}, edge_answer(all)};
}

}  // namespace

Experiment edge_of_stability() {
  return {
      "edge-of-stability",
      "At the edge of stability",
      {"B8", "B9"},
      "Cohen, Kaur, Li, Kolter & Talwalkar 2021, Gradient Descent on Neural Networks Typically Occurs at the Edge of "
      "Stability (arXiv 2103.00065)",
      "no figure of theirs",
      "Is it BN that makes the loss flat, or the learning rate?",
      runs_of(kDescending),
      what_was_run,
      edge_findings,
      {.chapter = Chapter::kWhyItWorks,
       .plainly = "A large step needs a loss that bends little. Does BN make it so, or does training itself go where "
                  "its steps just fit? The picture shows how sharply the loss bends beside what the steps can bear.",
       .headline = "bn-at-the-edge",
       .in_short = "With BN, too, gradient descent makes the loss as sharp as its learning rate can bear."}};
}

}  // namespace bnlab
