#include <fmt/format.h>

#include "bnlab/experiments/santurkar/dln.h"
#include "bnlab/experiments/santurkar/landscape_figures.h"
#include "bnlab/experiments/santurkar/santurkar.h"
#include "bnlab/experiments/santurkar/vgg.h"
#include "bnlab/study/curves.h"

namespace bnlab {
namespace {

using namespace santurkar;

constexpr int64_t kLayer = 11;  // of the paper's 13, for the histograms
const std::vector<std::string> kPowers = {"l1", "l2", "linf"};
const Arm kPlain = plain(0.1), kBn = bn(0.1), kDlnPlain = dln_plain(1e-6), kDlnBn = dln_bn(1e-6);
const std::vector<Arm> kArms = {kPlain, kBn, lp("l1"), lp("l2"), lp("linf")};
const std::vector<Arm> kDlnArms = {kDlnPlain, kDlnBn, dln_lp("l1"), dln_lp("l2"), dln_lp("linf")};

// The paper says "comparable" and gives no number. Ours: five points of training accuracy.
constexpr double kComparable = 5;

std::vector<std::string> what_was_run(const Setting& setting) {
  return {
      what_was_trained(setting),
      "Three more networks are normalized by (x − μ) / (norm + ε), γ, β behind it, where the norm of a channel is the "
      "mean of |x| (l1), the root of the mean of x² (l2) or the largest |x| (linf), of the x that is not shifted; ε "
      "1e-5; evaluation by running averages of μ and norm. Unlike BN, this need not give a layer's values any "
      "particular variance.",
      what_dln_was_trained(setting)};
}

/// Of one norm, on the convolutional network.
std::vector<std::pair<Claim, Evidence>> power_claims(const ArmRuns& runs, const std::string& power,
                                                     const Window& window) {
  const Arm arm = lp(power);
  const Precondition both = learned(runs, {arm, kPlain}, window);
  const PerSeed normalized = accuracy(runs, arm, window);
  std::vector<std::pair<Claim, Evidence>> all = {
      {{.id = power + "-comparable-to-bn",
        .sentence = fmt::format("With {} normalization the network trains about as well as with BN.", power),
        .quote = "All the normalization strategies offer comparable performance to BatchNorm. (Section 3.3)",
        .statistic = "mean training accuracy with it minus with BN, over the window; the bounds, five points, are our "
                     "reading of \"comparable\"",
        .window = window.text(),
        .unit = "percentage points",
        .side = Side::within(-kComparable, kComparable),
        .paper_value = {},
        .rank = Rank::kPrimary},
       paired(runs, {arm, kBn}, {learned(runs, {kBn}, window)},
              points_between(normalized, accuracy(runs, kBn, window)))},
      {{.id = power + "-trains-better",
        .sentence = fmt::format("With {} normalization the network trains better than without any.", power),
        .quote = "(Fig. 5: the curves of the normalized networks above that of the standard one.)",
        .statistic = "mean training accuracy with it minus without, over the window",
        .window = window.text(),
        .unit = "percentage points",
        .side = Side::above(0),
        .paper_value = {}},
       paired(runs, {arm, kPlain}, {both}, points_between(normalized, accuracy(runs, kPlain, window)))},
      smoother_claim(runs, landscape_quantities().back(), false, arm, kPlain, window, both,
                     "All these techniques result in an improved smoothness of the landscape that is similar to the "
                     "effect of BatchNorm. (Section 3.3)")};
  all.back().first.id += "-" + power;
  return all;
}

std::pair<Claim, Evidence> dln_power_claim(const ArmRuns& runs, const std::string& power, const Window& window) {
  const Arm arm = dln_lp(power);
  const Key loss{"train", 0, "loss"};
  return {
      {.id = power + "-trains-better-dln",
       .sentence = fmt::format("With {} normalization the deep linear network trains better than without any.", power),
       .quote = "(Fig. 13: the same for deep linear networks; paraphrased.)",
       .statistic = "ln of the ratio, with it to without, of the mean training loss over the window",
       .window = window.text(),
       .unit = "log ratio",
       .side = Side::below(0),
       .paper_value = {}},
      paired(runs, {arm, kDlnPlain}, {loss_halved(runs, {arm}, window)},
             log_ratio(mean(runs, arm, loss, window), mean(runs, kDlnPlain, loss, window)))};
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const ArmRuns runs(setting, results);
  std::vector<std::pair<Claim, Evidence>> claims;
  for (const std::string& power : kPowers) {
    for (auto& claim : power_claims(runs, power, second_half(p))) claims.push_back(std::move(claim));
    claims.push_back(dln_power_claim(runs, power, second_half(dln_protocol(setting.scale))));
  }
  const std::string seed = std::to_string(setting.seeds.front());
  return {
      {training_figure("a", runs, kArms, p.steps,
                       "Do the other normalizations do as well as BN (red), or only as well as none (blue)?"),
       {"b", "Distribution of a layer's activations over training",
        "With each normalization, seed " + seed +
            "; time runs downwards. The paper's point: l1, l2 and linf do not hold these distributions in place, as "
            "BN is said to, and train as well.",
        activation_ridges(runs, kArms, {layer_at(p, kLayer)})},
       loss_range_figure("c", runs, kArms),
       smoothness_figure("d", runs, kArms, false),
       dln_loss_figure("e", runs, kDlnArms, "Do the other normalizations help a network without activations, too?"),
       {"f", "Distribution of a layer's values in the deep linear network",
        "Layer #11 of 25 with each normalization, seed " + seed + "; time runs downwards. (The paper's Fig. 12.)",
        activation_ridges(runs, kDlnArms, {11})},
       of_linear_network(smoothness_figure("g", runs, kDlnArms, false), "Fig. 13")},
      claims,
      {}};
}

}  // namespace

Experiment santurkar_fig5() {
  return {
      "santurkar-fig5",
      "Normalization by other norms",
      {"M15"},
      kSource,
      "Fig. 5, 6, 12 and 13",
      "Is BN special, or does normalization by another norm, which does not steady distributions, do as well?",
      runs_of(kArms, kDlnArms),
      what_was_run,
      findings,
      {.chapter = Chapter::kWhyItWorks,
       .plainly = "BN divides by the standard deviation, which fixes mean and variance. Dividing by another measure "
                  "of size fixes neither: if the network then learns as well, they are not what matters."}};
}

}  // namespace bnlab
