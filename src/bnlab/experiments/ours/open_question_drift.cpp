#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/ours/ours.h"
#include "bnlab/experiments/santurkar/vgg.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

using namespace santurkar;

constexpr int64_t kLayer = 10;     // of the paper's 13: one of Fig. 3's
constexpr size_t kFewestArms = 5;  // for a rank correlation over networks to say anything
const Arm kPlain = plain(0.1), kBn = bn(0.1);
const std::vector<Arm> kArms = {kPlain, kBn, noisy_bn(), noise(), lp("l1"), lp("l2"), lp("linf")};

std::vector<std::string> what_was_run(const Setting& setting) {
  const Protocol p = protocol(setting.scale);
  return {
      what_was_trained(setting),
      fmt::format(
          "Seven networks that differ in their normalization and noise (those of santurkar-fig2 and -fig5). Every {} "
          "steps, of layer #{}: the drift, that is how far the step moves the means of its channels (in standard "
          "deviations) in front of the normalization (behind BN the means are β by construction), and the gradient's "
          "ICS, ‖G − G′‖ / ‖G‖, the share of its weights' gradient that the update of "
          "the layers before it changes. Their rank correlation (Spearman) over the steps of a run; and over the "
          "seven networks of a seed, of each with the speed of training (mean training accuracy over all steps). Where "
          "there is noise in a layer before, drift and ICS contain it. Networks that have not left their plateau in "
          "some "
          "seed do not count where speeds are compared: their small shifts have another reason.",
          p.observe_every, layer_at(p, kLayer))};
}

/// Quantities at the steps at which ICS was observed.
struct Shift {
  std::vector<double> drift, ics;
};

/// A step at which one of the two was not observed leaves a NaN in both, so that no correlation is made of a part.
Shift shift_of(RunReader& run, int64_t layer) {
  const Series l2 = run.scalars({"ics", layer, "l2"});
  Shift shift;
  for (size_t i = 0; i < l2.steps.size(); ++i) {
    const auto norm = run.scalar_at({"ics", layer, "gradient_norm"}, l2.steps[i]);
    const auto mean = run.scalar_at({"moment-changes", layer, in_front("mean")}, l2.steps[i]);
    shift.drift.push_back(mean.value_or(NAN));
    shift.ics.push_back(l2.values[i] / norm.value_or(NAN));
  }
  return shift;
}

using Quantity = std::vector<double> Shift::*;

PerSeed speed(const ArmRuns& runs, const Arm& arm, const Protocol& p) {
  return accuracy(runs, arm, {0, p.steps});
}

PerSeed mean_shift(const ArmRuns& runs, const Arm& arm, const Protocol& p, Quantity quantity) {
  return each(runs, arm, [&](RunReader& run) { return mean_of(shift_of(run, layer_at(p, kLayer)).*quantity); });
}

/// The arms that have learned in every seed.
std::vector<Arm> arms_off_the_plateau(const ArmRuns& runs, const Protocol& p) {
  std::vector<Arm> all;
  for (const Arm& arm : kArms) {
    if (learned(runs, {arm}, second_half(p)).holds) all.push_back(arm);
  }
  return all;
}

Precondition enough_arms(const std::vector<Arm>& arms) {
  std::string names;
  for (const Arm& arm : arms) names += (names.empty() ? "" : ", ") + arm.name();
  return {"enough-networks-have-learned", arms.size() >= kFewestArms,
          fmt::format("{} of {} networks have learned in every seed: {} (asked: {})", arms.size(), kArms.size(), names,
                      kFewestArms)};
}

/// Seed by seed the rank correlation over arms of the mean of a quantity with the speed of training.
PerSeed with_speed(const ArmRuns& runs, const std::vector<Arm>& arms, const Protocol& p, Quantity quantity) {
  std::vector<PerSeed> shifts, speeds;
  size_t seeds = runs.setting().seeds.size();
  for (const Arm& arm : arms) {
    shifts.push_back(mean_shift(runs, arm, p, quantity));
    speeds.push_back(speed(runs, arm, p));
    seeds = std::min(seeds, speeds.back().size());
  }
  PerSeed correlations;
  for (size_t i = 0; i < seeds; ++i) {
    std::vector<double> x, y;
    for (size_t k = 0; k < arms.size(); ++k) {
      x.push_back(shifts[k][i]);
      y.push_back(speeds[k][i]);
    }
    correlations.push_back(spearman(x, y));
  }
  return correlations;
}

const char* const kQuote = "(Ours: the open question of the note that this project began with.)";

std::pair<Claim, Evidence> together_claim(const ArmRuns& runs, const Arm& arm, const std::string& id,
                                          const Protocol& p) {
  const int64_t layer = layer_at(p, kLayer);
  return {{.id = "together-" + id,
           .sentence = fmt::format("In the network \"{}\", drift of moments and gradient ICS rise and fall together.",
                                   arm.name()),
           .quote = kQuote,
           .statistic = "Spearman's rank correlation of drift and relative ICS over the observed steps of a run",
           .window = fmt::format("layer #{}, in front of the normalization, {}", layer, Window{0, p.steps}.text()),
           .unit = "rank correlation",
           .side = Side::above(0),
           .paper_value = {},
           .rank = Rank::kPrimary},
          paired(runs, {arm}, {learned(runs, {arm}, second_half(p))}, each(runs, arm, [&](RunReader& run) {
                   const Shift shift = shift_of(run, layer);
                   return spearman(shift.drift, shift.ics);
                 }))};
}

std::pair<Claim, Evidence> speed_claim(const ArmRuns& runs, const std::vector<Arm>& counted, const std::string& id,
                                       const std::string& sentence, const Protocol& p, Quantity quantity) {
  return {{.id = id,
           .sentence = sentence,
           .quote = kQuote,
           .statistic = "Spearman's rank correlation over the networks of a seed that have learned: mean over the "
                        "observed steps, with the mean training accuracy",
           .window = fmt::format("layer #{}, in front of the normalization, {}", layer_at(p, kLayer),
                                 Window{0, p.steps}.text()),
           .unit = "rank correlation",
           .side = Side::below(0),
           .paper_value = {},
           .rank = Rank::kPrimary},
          paired(runs, kArms, {enough_arms(counted)}, with_speed(runs, counted, p, quantity))};
}

std::vector<std::pair<Claim, Evidence>> claims(const ArmRuns& runs, const Protocol& p) {
  const std::vector<Arm> counted = arms_off_the_plateau(runs, p);
  return {together_claim(runs, kPlain, "plain", p), together_claim(runs, kBn, "bn", p),
          speed_claim(runs, counted, "drift-predicts-speed", "Networks whose moments drift less train faster.", p,
                      &Shift::drift),
          speed_claim(runs, counted, "ics-predicts-speed", "Networks with less gradient ICS train faster.", p,
                      &Shift::ics)};
}

std::string in_words(const JudgedClaim& judged) {
  std::string_view sentence = judged.claim.sentence;
  sentence.remove_suffix(1);  // the full stop
  return fmt::format("{}: {} (mean correlation {}).", sentence, to_string(judged.verdict),
                     mean_and_interval(judged.evidence.per_seed, 2));
}

/// The verdicts in words.
std::vector<std::string> answer(const std::vector<std::pair<Claim, Evidence>>& claims) {
  if (!have_evidence(claims)) return {};
  const auto judged = judge(claims);
  const auto says = [&](const char* id) { return in_words(find_claim(judged, id)); };
  return {"Are the drift of activations and the shift of gradients one thing? " + says("together-plain") + " " +
              says("together-bn"),
          "Does either say how fast a network trains? " + says("drift-predicts-speed") + " " +
              says("ics-predicts-speed") +
              " At most seven networks of one depth, with one rate and few seeds, are few points for a correlation: "
              "read it as a direction, not as a law."};
}

Json scatter(const ArmRuns& runs, const Protocol& p, Quantity quantity, const std::string& title) {
  std::vector<BandPoint> points;
  for (const Arm& arm : kArms) {
    const PerSeed speeds = speed(runs, arm, p), shifts = mean_shift(runs, arm, p, quantity);
    for (size_t i = 0; i < speeds.size(); ++i) {
      const double percent = 100 * speeds[i];
      if (std::isfinite(shifts[i])) points.push_back({arm.name(), shifts[i], percent, percent, percent});
    }
  }
  return scatter_chart(points, styles_of(kArms), title, "mean training accuracy (%)", {.log_x = true});
}

std::vector<Figure> figures(const ArmRuns& runs, const Protocol& p) {
  const int64_t layer = layer_at(p, kLayer);
  const auto of = [&](const Key& key, const std::string& axis) {
    return band_chart(curves(runs, kArms, key), styles_of(kArms), "training step", axis, {.log_y = true});
  };
  return {
      {"a", fmt::format("Drift and ICS of layer #{} over training", layer),
       "Left, how far a step moves the means of the layer's channels, in front of its normalization; right, how far "
       "the update of the layers before it moves its gradient. Both logarithmic. If they were one thing, the two "
       "panels would show the same order of colours and the same rises and falls.",
       panels({{"drift of means", of({"moment-changes", layer, in_front("mean")}, "change of mean (std)")},
               {"gradient ICS", of({"ics", layer, "l2"}, "‖G − G′‖₂")}},
              2)},
      {"b", "Does either predict the speed of training?",
       "A point is a network (colour) and seed. A good predictor would be a falling line: less shift, faster "
       "training. Networks that have not learned are drawn, but do not count in the correlations.",
       panels({{"by drift", scatter(runs, p, &Shift::drift, "mean drift (std)")},
               {"by ICS", scatter(runs, p, &Shift::ics, "mean ‖G − G′‖ / ‖G‖")}},
              2)}};
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const ArmRuns runs(setting, results);
  const auto all = claims(runs, p);
  return {figures(runs, p), all, {}, answer(all)};
}

}  // namespace

Experiment open_question_drift() {
  return {
      "open-question-drift",
      "Is the drift of activations internal covariate shift?",
      {"M28"},
      "Ours, on the networks of Santurkar et al. 2018",
      "no figure of theirs",
      "Without BN the mean and variance of activations drift; is that the same as the shift of gradients, and does "
      "either say how fast a network trains?",
      runs_of(kArms),
      what_was_run,
      findings,
      {.chapter = Chapter::kQuestions,
       .plainly = "Two things are called internal covariate shift: that a layer's values drift, and that its gradient "
                  "is moved by other layers. They are measured in the same runs, to see whether they are one."}};
}

}  // namespace bnlab
