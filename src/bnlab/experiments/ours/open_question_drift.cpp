#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/ours/ours.h"
#include "bnlab/experiments/santurkar/vgg.h"

namespace bnlab {
namespace {

using namespace santurkar;

constexpr int64_t kLayer = 10;  // of the paper's 13: one of Fig. 3's
const char* const kBn = "BN, rate 0.1";
const char* const kPlain = "no BN, rate 0.1";

const std::vector<Arm>& arms() {
  static const std::vector<Arm> all = {plain(0.1), bn(0.1), noisy_bn(), noise(), lp("l1"), lp("l2"), lp("linf")};
  return all;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const Protocol p = protocol(setting.scale);
  return {
      what_was_trained(setting),
      fmt::format(
          "Seven networks that differ in their normalization and noise (those of santurkar-fig2 and -fig5). Every {} "
          "steps, of layer #{}: the drift, that is how far the step moves the means of its channels (in standard "
          "deviations), and the gradient's ICS, ‖G − G′‖ / ‖G‖, the share of its weights' gradient that the update of "
          "the layers before it changes. Their rank correlation (Spearman) over the steps of a run; and over the "
          "seven networks of a seed, of each with the speed of training (mean training accuracy over all steps). Where "
          "there is noise, drift and ICS contain it.",
          p.observe_every, layer_at(p, kLayer))};
}

/// A quantity at the steps at which ICS was observed.
struct Shift {
  std::vector<double> drift, ics;
};

Shift shift_of(RunReader& run, int64_t layer) {
  const Series l2 = run.scalars({"ics", layer, "l2"});
  Shift shift;
  for (size_t i = 0; i < l2.steps.size(); ++i) {
    const auto norm = run.scalar_at({"ics", layer, "gradient_norm"}, l2.steps[i]);
    const auto mean = run.scalar_at({"moment-changes", layer, "mean"}, l2.steps[i]);
    if (!norm || !mean || !std::isfinite(l2.values[i] / *norm) || !std::isfinite(*mean)) continue;
    shift.drift.push_back(*mean);
    shift.ics.push_back(l2.values[i] / *norm);
  }
  return shift;
}

/// The rank correlation over arms, for seed i, of the mean of one quantity with the speed of training.
double with_speed(const TrainedArms& trained, const Protocol& p, size_t i, std::vector<double> Shift::*quantity) {
  std::vector<double> values, speeds;
  for (const Arm& arm : arms()) {
    RunReader& run = *trained.runs(arm.name()).at(i);
    values.push_back(mean_of(shift_of(run, layer_at(p, kLayer)).*quantity));
    speeds.push_back(mean_over(training_accuracy(run, trained.setting().data.shape.classes), {0, p.steps}));
  }
  return spearman(values, speeds);
}

std::vector<std::pair<Claim, Evidence>> claims(const TrainedArms& trained, const Protocol& p) {
  const int64_t layer = layer_at(p, kLayer);
  const Window all_steps{0, p.steps};
  const std::string quote = "(Ours: the open question of the note that this project began with.)";
  std::vector<std::pair<Claim, Evidence>> all;
  for (const char* arm : {kPlain, kBn}) {
    all.push_back(
        {{std::string("together-") + (arm == kBn ? "bn" : "plain"),
          fmt::format("In the network \"{}\", drift of moments and gradient ICS rise and fall together.", arm), quote,
          "Spearman's rank correlation of drift and relative ICS over the observed steps of a run",
          fmt::format("layer #{}, {}", layer, all_steps.text()), "rank correlation", Side::above(0), std::nullopt},
         trained.evidence({arm}, {trained.learned({arm}, second_half(p))}, [&trained, layer, arm](size_t i) {
           const Shift shift = shift_of(*trained.runs(arm).at(i), layer);
           return spearman(shift.drift, shift.ics);
         })});
  }
  const std::vector<std::string> names = names_of(arms());
  const auto speed_claim = [&](const std::string& id, const std::string& sentence,
                               std::vector<double> Shift::*quantity) {
    all.push_back(
        {{id, sentence, quote,
          "Spearman's rank correlation over the seven networks of a seed: mean over the observed steps, with "
          "the mean training accuracy",
          fmt::format("layer #{}, {}", layer, all_steps.text()), "rank correlation", Side::below(0), std::nullopt},
         trained.evidence(names, {},
                          [&trained, p, quantity](size_t i) { return with_speed(trained, p, i, quantity); })});
  };
  speed_claim("drift-predicts-speed", "Networks whose moments drift less train faster.", &Shift::drift);
  speed_claim("ics-predicts-speed", "Networks with less gradient ICS train faster.", &Shift::ics);
  return all;
}

/// The verdicts in words.
std::vector<std::string> answer(const std::vector<std::pair<Claim, Evidence>>& claims) {
  std::vector<std::string> says;
  for (const JudgedClaim& judged : judge(claims)) {
    std::string_view sentence = judged.claim.sentence;
    sentence.remove_suffix(1);  // the full stop
    says.push_back(fmt::format("{}: {} (mean correlation {:+.2f}, 95 % interval [{:+.2f}, {:+.2f}]).", sentence,
                               to_string(judged.verdict_corrected), judged.interval.mean, judged.interval.low,
                               judged.interval.high));
  }
  return {
      "Are the drift of activations and the shift of gradients one thing? " + says[0] + " " + says[1],
      "Does either say how fast a network trains? " + says[2] + " " + says[3] +
          " Seven networks of one depth, with one rate and few seeds, are few points for a correlation: read it as a "
          "direction, not as a law."};
}

Json scatter(const TrainedArms& trained, const Protocol& p, std::vector<double> Shift::*quantity,
             const std::string& title) {
  std::vector<BandPoint> points;
  for (const Arm& arm : arms()) {
    for (RunReader* run : trained.runs(arm.name())) {
      const double speed = 100 * mean_over(training_accuracy(*run, trained.setting().data.shape.classes), {0, p.steps});
      const double value = mean_of(shift_of(*run, layer_at(p, kLayer)).*quantity);
      if (std::isfinite(value)) points.push_back({arm.name(), value, speed, speed, speed});
    }
  }
  return scatter_chart(points, styles_of(arms()), title, "mean training accuracy (%)", {.log_x = true});
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const TrainedArms trained(setting, results, arms());
  const int64_t layer = layer_at(p, kLayer);
  const auto curves = [&](const Key& key, const std::string& axis) {
    return band_chart(trained.curves(names_of(arms()), key), styles_of(arms()), "training step", axis, {.log_y = true});
  };
  auto all = claims(trained, p);
  return {
      {{"a", fmt::format("Drift and ICS of layer #{} over training", layer),
        "Left, how far a step moves the means of the layer's channels; right, how far the update of the layers before "
        "it moves its gradient. Both logarithmic. If they were one thing, the two panels would show the same order of "
        "colours and the same rises and falls.",
        panels({{"drift of means", curves({"moment-changes", layer, "mean"}, "change of mean (std)")},
                {"gradient ICS", curves({"ics", layer, "l2"}, "‖G − G′‖₂")}},
               2)},
       {"b", "Does either predict the speed of training?",
        "A point is a network (colour) and seed. A good predictor would be a falling line: less shift, faster "
        "training.",
        panels({{"by drift", scatter(trained, p, &Shift::drift, "mean drift (std)")},
                {"by ICS", scatter(trained, p, &Shift::ics, "mean ‖G − G′‖ / ‖G‖")}},
               2)}},
      all,
      {},
      have_evidence(all) ? answer(all) : std::vector<std::string>{}};
}

}  // namespace

Experiment open_question_drift() {
  return {"open-question-drift",
          "Is the drift of activations internal covariate shift?",
          {"M28"},
          "Ours, on the networks of Santurkar et al. 2018",
          "no figure of theirs",
          "Without BN the mean and variance of activations drift; is that the same as the shift of gradients, and does "
          "either say how fast a network trains?",
          runs_of(arms()),
          what_was_run,
          findings};
}

}  // namespace bnlab
