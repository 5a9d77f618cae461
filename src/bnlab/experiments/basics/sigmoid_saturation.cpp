// Sigmoids with and without BN: Ioffe & Szegedy 2015, section 4.1 and Fig. 1, and the two ways in which a sigmoid's
// gradient becomes small. Run it: bnlab reproduce --only sigmoid-saturation
#include <fmt/format.h>

#include <cmath>

#include "bnlab/experiments/basics/basics.h"
#include "bnlab/experiments/basics/sigmoid_networks.h"
#include "bnlab/record/number_text.h"

namespace bnlab {
namespace {

using namespace sigmoids;

constexpr double kHardly = 1;     // percent of saturated sigmoids: ours
constexpr double kMost = 50;      // percent: ours
constexpr double kVanished = -3;  // a thousandth of the last hidden layer's gradient is left: ours
const std::string kOurs = "(Ours: no source states it.)";
const std::string kCaption =
    "Batch Normalization helps the network train faster and achieve higher accuracy. (Caption of Fig. 1)";

using Judged = std::pair<Claim, Evidence>;

/// What the kinds of claims below fill in: who says what, of which steps.
struct Said {
  std::string id, sentence, quote;
  Rank rank = Rank::kSecondary;
};

Claim claim_of(const Said& said, const std::string& statistic, const Window& window, const std::string& unit,
               const Side& side) {
  return {said.id, said.sentence, said.quote, statistic, window.text(), unit, side, {}, said.rank};
}

/// The network with BN gets more test images right than that without.
Judged more_accurate(const ArmRuns& runs, const SigmoidNet& bn, const SigmoidNet& plain, const Window& window,
                     const Said& said) {
  const Arm with = arm_of(bn), without = arm_of(plain);
  return {claim_of(said,
                   fmt::format("test accuracy of \"{}\" minus \"{}\", mean over the looks in the window", with.name(),
                               without.name()),
                   window, "percentage points", Side::above(0)),
          paired(runs, {with, without}, {learned(runs, {with}, second_half(runs.setting()))},
                 points_between(test_accuracy(runs, bn, window), test_accuracy(runs, plain, window)))};
}

Judged more_stable(const ArmRuns& runs, const Window& window, const Said& said) {
  const std::vector<Arm> arms = arms_of({kBn, kPlain});
  return {claim_of(said,
                   "ln of the ratio, BN to none, of the drift of the median unit of the last hidden layer: the range, "
                   "over the looks in the window, of the 15th, 50th and 85th percentile of what its sigmoid gets (mean "
                   "of the three), in units of the width of its band from the 15th to the 85th (mean over the looks)",
                   window, "log ratio", Side::below(0)),
          paired(runs, arms, {learned(runs, arms, second_half(runs.setting()))},
                 log_ratio(drift(runs, kBn, window), drift(runs, kPlain, window)))};
}

PerSeed percent(PerSeed shares) {
  for (double& share : shares) share *= 100;
  return shares;
}

Judged less_saturated(const ArmRuns& runs, const Said& said) {
  const Window window = second_half(runs.setting());
  return {claim_of(said,
                   "share of saturated sigmoids with BN minus without, mean over the ten layers and the looks in the "
                   "window",
                   window, "percentage points", Side::below(0)),
          paired(runs, arms_of({kLargeBn, kLargePlain}), {learned(runs, {arm_of(kLargeBn)}, window)},
                 points_between(saturated(runs, kLargeBn, window), saturated(runs, kLargePlain, window)))};
}

/// The share of saturated sigmoids of a network at the start lies on that side of a bound.
Judged saturated_at_start(const ArmRuns& runs, const SigmoidNet& net, const Side& side, const Said& said) {
  return {claim_of(said,
                   fmt::format("share of saturated sigmoids of \"{}\", mean over its layers; the bound is ours",
                               arm_of(net).name()),
                   at_start(), "percent", side),
          paired(runs, {arm_of(net)}, {}, percent(saturated(runs, net, at_start())))};
}

Judged gradient_vanishes(const ArmRuns& runs, const SigmoidNet& net, const Said& said) {
  return {claim_of(said,
                   fmt::format("log10 of the ratio, first hidden layer to last, of the norm of the gradient of a "
                               "layer's weights, of \"{}\"; the bound, a thousandth, is ours",
                               arm_of(net).name()),
                   at_start(), "decades", Side::below(kVanished)),
          paired(runs, {arm_of(net)}, {}, gradient(runs, net, 1, at_start()))};
}

Judged gradient_arrives(const ArmRuns& runs, const Window& window, std::vector<Precondition> preconditions,
                        const Said& said) {
  return {claim_of(said,
                   "log10 of the ratio, first hidden layer to last, of the norm of the gradient of a layer's weights "
                   "(mean over the looks in the window): with BN minus without",
                   window, "decades", Side::above(0)),
          paired(runs, arms_of({kDeepBn, kDeepPlain}), std::move(preconditions),
                 minus(gradient(runs, kDeepBn, 1, window), gradient(runs, kDeepPlain, 1, window)))};
}

std::vector<Judged> claims(const ArmRuns& runs) {
  const Window early = first_half(runs.setting()), late = second_half(runs.setting());
  const std::string stable =
      "Batch Normalization makes the distribution more stable and reduces the internal covariate shift. (Caption of "
      "Fig. 1)";
  const std::string vanish =
      "This means that for all dimensions of x = Wu+b except those with small absolute values, the gradient flowing "
      "down to u will vanish and the model will train slowly. (Section 1)";
  return {
      more_accurate(runs, kBn, kPlain, early,
                    {"trains-faster",
                     "With BN the network is ahead on the test images in the first half of training "
                     "already.",
                     kCaption, Rank::kPrimary}),
      more_accurate(runs, kBn, kPlain, late,
                    {"more-accurate", "With BN it is ahead in the second half, too.", kCaption, Rank::kPrimary}),
      more_stable(runs, whole(runs.setting()),
                  {"more-stable",
                   "With BN the input of a sigmoid in the last hidden layer keeps its distribution "
                   "better through training.",
                   stable, Rank::kPrimary}),
      less_saturated(runs, {"out-of-saturation",
                            "Where initial weights are ten times too large, BN keeps sigmoids "
                            "out of saturation.",
                            "If, however, we could ensure that the distribution of nonlinearity inputs remains more "
                            "stable as the network trains, then the optimizer would be less likely to get stuck in the "
                            "saturated regime, and the training would accelerate. (Section 1)",
                            Rank::kPrimary}),
      more_stable(runs, late,
                  {"more-stable-late",
                   "Also in the second half of training alone, the distribution moves "
                   "less with BN.",
                   stable}),
      more_accurate(runs, kDeepBn, kDeepPlain, late,
                    {"deep-more-accurate",
                     "With ten hidden layers, too, the network with BN is ahead in the second "
                     "half.",
                     kCaption}),
      more_accurate(runs, kLargeBn, kLargePlain, late,
                    {"large-more-accurate", "So it is with initial weights ten times too large.", kCaption}),
      saturated_at_start(runs, kDeepPlain, Side::below(kHardly),
                         {"hardly-saturated",
                          "With Glorot's weights hardly any sigmoid of the ten layers is saturated "
                          "at the start.",
                          kOurs}),
      gradient_vanishes(runs, kDeepPlain,
                        {"vanishes-unsaturated",
                         "All the same, hardly any gradient reaches the first of the ten "
                         "layers: each sigmoid passes on at most a quarter.",
                         kOurs}),
      saturated_at_start(runs, kLargePlain, Side::above(kMost),
                         {"large-weights-saturate",
                          "With initial weights ten times too large, most sigmoids are "
                          "saturated at the start.",
                          kOurs}),
      gradient_vanishes(runs, kLargePlain,
                        {"vanishes-saturated",
                         "And hardly any gradient reaches the first of the "
                         "ten layers.",
                         vanish}),
      gradient_arrives(runs, at_start(), {},
                       {"gradient-arrives",
                        "At the start more of the gradient reaches the first "
                        "of ten layers with BN.",
                        vanish}),
      gradient_arrives(runs, late, {learned(runs, {arm_of(kDeepBn)}, late)},
                       {"gradient-arrives-late", "So it is in the second half of training.", vanish})};
}

std::vector<std::string> answer(const std::vector<Judged>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto verdict = [&](const char* id) { return to_string(find_claim(judged, id).verdict); };
  const auto effect = [&](const char* id) { return find_claim(judged, id).interval.mean; };
  return {
      fmt::format("That BN makes this network train faster is {} ({} points of test accuracy in the first half of "
                  "training), that it ends higher {} ({} points in the second). That it keeps a sigmoid's input in "
                  "place is {}: with BN its distribution drifts {:.2g} times as far, measured in its own width.",
                  verdict("trains-faster"), signed_text(effect("trains-faster"), 1), verdict("more-accurate"),
                  signed_text(effect("more-accurate"), 1), verdict("more-stable"), std::exp(effect("more-stable"))),
      fmt::format("Small gradients have two causes, and only one of them is saturation. With Glorot's weights {:.1f} % "
                  "of the sigmoids in ten layers are saturated at the start, and the first layer's gradient is 10^{} "
                  "of the last one's; with weights ten times as large {:.0f} % are saturated, and it is 10^{}. With "
                  "BN it is 10^{} times that without, with Glorot's weights.",
                  effect("hardly-saturated"), fixed_text(effect("vanishes-unsaturated"), 1),
                  effect("large-weights-saturate"), fixed_text(effect("vanishes-saturated"), 1),
                  fixed_text(effect("gradient-arrives"), 1))};
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const std::vector<Judged> all = claims(runs);
  return {{bands_figure(runs), accuracy_figure(runs), drifts_figure(runs), start_figure(runs), saturation_figure(runs),
           gradients_figure(runs)},
          all,
          {},
          answer(all)};
}

}  // namespace

Experiment sigmoid_saturation() {
  return {
      "sigmoid-saturation",
      "Sigmoids that saturate",
      {"M7"},
      "Ioffe & Szegedy 2015, Batch Normalization (arXiv 1502.03167)",
      "Fig. 1, section 4.1",
      "Does BN keep the inputs of sigmoids in place and out of saturation, and does a network of sigmoids learn faster "
      "for it?",
      runs_of(arms_of({kPlain, kBn}), arms_of(deep_nets())),
      what_was_run,
      findings,
      {.chapter = Chapter::kWhy,
       .plainly = "A sigmoid answers differently only to inputs near 0; far from it, it is saturated, and nothing is "
                  "learned through it. The picture follows the input of one sigmoid while its network learns, without "
                  "BN and with it: how far does the band wander?",
       .headline = "more-stable",
       .in_short = "BN holds the distribution of a sigmoid's input in place while the network learns."}};
}

}  // namespace bnlab
