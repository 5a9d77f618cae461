#include <fmt/format.h>

#include <algorithm>

#include "bnlab/experiments/basics/basics.h"
#include "bnlab/experiments/basics/scaled_inputs.h"
#include "bnlab/record/number_text.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

using namespace inputs;

constexpr double kAlike = 2;  // percentage points that still count as alike: ours

using Claims = std::vector<std::pair<Claim, Evidence>>;

struct Statement {
  std::string id, sentence, quote;
  Rank rank = Rank::kSecondary;
};

Claim claim_of(const Statement& said, const std::string& statistic, const Window& window, const Side& side) {
  return {.id = said.id,
          .sentence = said.sentence,
          .quote = said.quote,
          .statistic = statistic,
          .window = window.text(),
          .unit = "percentage points",
          .side = side,
          .paper_value = {},
          .rank = said.rank};
}

/// How much better `input` trains than `other`, both without BN and each at its best rate.
std::pair<Claim, Evidence> better_at_best(const ArmRuns& runs, const Input& input, const Input& other,
                                          const Statement& said) {
  const Window window = scored(runs.setting());
  const Arm best = best_of(runs, input), other_best = best_of(runs, other);
  const std::string statistic = fmt::format(
      "mean training accuracy of {} minus {}, over the window, each at the one of its learning rates at "
      "which the mean over seeds is highest ({} and {})",
      input.name, other.name, best.name(), other_best.name());
  std::vector<Arm> all = plain_arms(input);
  for (const Arm& arm : plain_arms(other)) all.push_back(arm);
  return {claim_of(said, statistic, window, Side::above(0)),
          paired(runs, all, {learned(runs, {best, other_best}, window)},
                 points_between(accuracy(runs, best, window), accuracy(runs, other_best, window)))};
}

/// Seed by seed, the highest minus the lowest accuracy of some arms, in percentage points.
PerSeed spread(const ArmRuns& runs, const std::vector<Arm>& arms) {
  PerSeed low, high;
  for (const Arm& arm : arms) {
    const PerSeed values = accuracy(runs, arm, scored(runs.setting()));
    if (low.empty()) low = high = values;
    for (size_t i = 0; i < std::min(low.size(), values.size()); ++i) {
      low[i] = std::min(low[i], values[i]);
      high[i] = std::max(high[i], values[i]);
    }
  }
  return points_between(high, low);
}

std::pair<Claim, Evidence> bn_claim(const ArmRuns& runs, const std::vector<Input>& of, const Statement& said) {
  const Window window = scored(runs.setting());
  std::vector<Arm> arms;
  for (const Input& input : of) arms.push_back(bn_arm(input));
  const std::string statistic = fmt::format(
      "highest minus lowest mean training accuracy of these inputs, with BN at rate {}, over the window; the bound, {} "
      "points, is ours",
      kBnRate, kAlike);
  return {claim_of(said, statistic, window, Side::below(kAlike)),
          paired(runs, arms, {learned(runs, arms, window)}, spread(runs, arms))};
}

/// Of two single arms, of which the first must have learned.
std::pair<Claim, Evidence> better(const ArmRuns& runs, const Arm& arm, const Arm& other, const Statement& said) {
  const Window window = scored(runs.setting());
  const std::string statistic =
      fmt::format("mean training accuracy of \"{}\" minus \"{}\", over the window", arm.name(), other.name());
  return {claim_of(said, statistic, window, Side::above(0)),
          paired(runs, {arm, other}, {learned(runs, {arm}, window)},
                 points_between(accuracy(runs, arm, window), accuracy(runs, other, window)))};
}

Claims claims(const ArmRuns& runs) {
  const std::string efficient_backprop =
      "(LeCun, Bottou, Orr & Müller 1998, section 4.3: convergence is usually faster if the average of each input "
      "variable over the training set is close to zero, and if all have about the same covariance; paraphrased.)";
  const std::string ours = "(Ours: no source states it.)";
  return {
      better_at_best(runs, kZScore, kRaw,
                     {.id = "scaling-speeds-up",
                      .sentence = "The network trains faster on z-scored pixels than on raw ones, each at its best "
                                  "learning rate.",
                      .quote = efficient_backprop,
                      .rank = Rank::kPrimary}),
      better_at_best(runs, kZScore, kMinMax,
                     {.id = "centring-speeds-up",
                      .sentence = "It trains faster on z-scored pixels, whose mean is 0, than on min-max scaled ones, "
                                  "which are all positive, each at its best learning rate.",
                      .quote = efficient_backprop,
                      .rank = Rank::kPrimary}),
      bn_claim(runs, {kRaw, kMinMax, kZScore},
               {.id = "bn-takes-over",
                .sentence = "With BN it does not matter whether pixels are raw, min-max scaled or z-scored.",
                .quote = "(Ioffe & Szegedy 2015, section 3.3: with BN, a layer's output does not depend on the scale "
                         "of its parameters; paraphrased. A scale of the input is one of the first layer's weights.)",
                .rank = Rank::kPrimary}),
      bn_claim(runs, all_inputs(),
               {.id = "bn-takes-over-all",
                .sentence = "With BN none of the five inputs matters, though equalization is no affine map that BN "
                            "could undo.",
                .quote = ours}),
      better(runs, plain_arm(kZScore, kCommonRate), plain_arm(kRaw, kCommonRate),
             {.id = "scaling-speeds-up-same-rate",
              .sentence = fmt::format("At the same learning rate, {}, too, the network trains faster on z-scored than "
                                      "on raw pixels.",
                                      kCommonRate),
              .quote = efficient_backprop}),
      better_at_best(runs, kEqualize, kZScore,
                     {.id = "equalization-speeds-up",
                      .sentence = "It trains faster on equalized than on z-scored pixels.",
                      .quote = ours}),
      better_at_best(runs, kEqualizeImage, kEqualize,
                     {.id = "each-image-speeds-up",
                      .sentence = "It trains faster if each image is equalized for itself than if all are alike.",
                      .quote = ours})};
}

std::vector<std::string> answer(const Claims& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto says = [&](const char* id) {
    const JudgedClaim& claim = find_claim(judged, id);
    return fmt::format("{} ({} points)", to_string(claim.verdict), fixed_text(claim.interval.mean, 1));
  };
  return {fmt::format(
      "That z-scored pixels train faster than raw ones is {}, and faster than min-max scaled ones {}, "
      "each input at its best learning rate. That with BN the choice among these three does not matter "
      "is {}, and among all five {}.",
      says("scaling-speeds-up"), says("centring-speeds-up"), says("bn-takes-over"), says("bn-takes-over-all"))};
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const int64_t steps = steps_of(setting.scale);
  const Claims all = claims(runs);
  Figure with_bn = training_figure(
      "f", runs, of_all(bn_arm), steps,
      "With BN the curves of raw, min-max and z-scored pixels should lie on each other: BN undoes any scale and shift "
      "of a layer's input that is the same for all pixels. Equalization is not of this kind.");
  with_bn.title = "Training accuracy with BN";
  Figure best = training_figure(
      "d", runs, of_all([&](const Input& input) { return best_of(runs, input); }), steps,
      "Each input at the best of its learning rates, without BN: how far behind are raw pixels (blue)?");
  best.title = "Training accuracy without BN, each input at its best rate";
  return {{table_figure(runs), pixels_figure(runs), images_figure(runs), best, rates_figure(runs), with_bn},
          all,
          {},
          answer(all)};
}

}  // namespace

Experiment scaling() {
  return {
      "scaling",
      "Scaling of the inputs",
      {"M1"},
      "LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, section 4.3; Ioffe & Szegedy 2015 (arXiv 1502.03167)",
      "no figure of theirs",
      "What does scaling do to the pixels, does a network train faster for it, and is it still needed with BN?",
      plan,
      what_was_run,
      findings,
      {.chapter = Chapter::kWhat,
       .plainly = "Before BN normalized the inside of a network, people scaled its inputs. Here the same pixels go in "
                  "raw and scaled in four ways: what the scaling does to them, and how much faster the network learns "
                  "for it."}};
}

}  // namespace bnlab
