#include <fmt/format.h>

#include "bnlab/experiments/santurkar/dln.h"
#include "bnlab/experiments/santurkar/landscape_figures.h"
#include "bnlab/experiments/santurkar/santurkar.h"
#include "bnlab/experiments/santurkar/vgg.h"

namespace bnlab {
namespace {

using namespace santurkar;

constexpr int64_t kLayer = 11;  // of the paper's 13, for the histograms
const char* const kPlain = "no BN, rate 0.1";
const std::vector<std::string> kPowers = {"l1", "l2", "linf"};

const std::vector<Arm>& arms() {
  static const std::vector<Arm> all = {plain(0.1), bn(0.1), lp("l1"), lp("l2"), lp("linf")};
  return all;
}

const std::vector<Arm>& dln_arms() {
  static const std::vector<Arm> all = {dln_plain(1e-6), dln_bn(1e-6), dln_lp("l1"), dln_lp("l2"), dln_lp("linf")};
  return all;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  return {
      what_was_trained(setting),
      "Three more networks are normalized by (x − μ) / (norm + ε), γ, β behind it, where the norm of a channel is the "
      "mean of |x| (l1), the root of the mean of x² (l2) or the largest |x| (linf), of the x that is not shifted; ε "
      "1e-5; evaluation by running averages of μ and norm. Unlike BN, this need not give a layer's values any "
      "particular variance.",
      what_dln_was_trained(setting)};
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const TrainedArms trained(setting, results, arms());
  const TrainedArms dln(setting, results, dln_arms());
  const Window window = second_half(p), dln_window = second_half(dln_protocol(setting.scale));
  const std::string dln_without = dln_plain(1e-6).name();
  const Key loss{"train", 0, "loss"};
  std::vector<std::pair<Claim, Evidence>> claims;
  for (const std::string& power : kPowers) {
    const std::string arm = lp(power).name();
    claims.push_back(
        {{power + "-trains-better",
          fmt::format("With {} normalization the network trains better than "
                      "without any.",
                      power),
          "All the normalization strategies offer comparable performance to BatchNorm. (Section 3.3)",
          "mean training accuracy with it minus without, over the window", window.text(), "percentage points",
          Side::above(0), std::nullopt},
         trained.evidence({arm, kPlain}, {trained.learned({arm, kPlain}, window)},
                          points_between(trained.accuracy(arm, window), trained.accuracy(kPlain, window)))});
    claims.push_back(smoother_claim(trained, landscape_quantities().back(), false, arm, kPlain, window,
                                    trained.learned({arm, kPlain}, window),
                                    "All these techniques result in an improved smoothness of the landscape that is "
                                    "similar to the effect of BatchNorm. (Section 3.3)"));
    claims.back().first.id += "-" + power;
    const std::string dln_arm = dln_lp(power).name();
    claims.push_back(
        {{power + "-trains-better-dln",
          fmt::format("With {} normalization the deep linear network trains better than without any.", power),
          "(Fig. 13: the same for deep linear networks; paraphrased.)",
          "ln of the ratio, with it to without, of the mean training loss over the window", dln_window.text(),
          "log ratio", Side::below(0), std::nullopt},
         dln.evidence({dln_arm, dln_without}, {dln.loss_halved({dln_arm}, dln_window)},
                      log_ratio(dln.mean(dln_arm, loss, dln_window), dln.mean(dln_without, loss, dln_window)))});
  }
  const std::string seed = std::to_string(setting.seeds.front());
  return {
      {training_figure("a", trained, arms(), p.steps,
                       "Do the other normalizations do as well as BN (red), or only as well as none (blue)?"),
       {"b", "Distribution of a layer's activations over training",
        "With each normalization, seed " + seed +
            "; time runs downwards. The paper's point: l1, l2 and linf do not hold these distributions in place, as "
            "BN is said to, and train as well.",
        activation_ridges(trained, names_of(arms()), {layer_at(p, kLayer)})},
       loss_range_figure("c", trained, arms()),
       smoothness_figure("d", trained, arms(), false),
       dln_loss_figure("e", dln, dln_arms(), "Do the other normalizations help a network without activations, too?"),
       {"f", "Distribution of a layer's values in the deep linear network",
        "Layer #11 of 25 with each normalization, seed " + seed + "; time runs downwards. (The paper's Fig. 12.)",
        activation_ridges(dln, names_of(dln_arms()), {11})},
       of_linear_network(smoothness_figure("g", dln, dln_arms(), false), "Fig. 13")},
      claims,
      {}};
}

}  // namespace

Experiment santurkar_fig5() {
  return {"santurkar-fig5",
          "Normalization by other norms",
          {"M15"},
          kSource,
          "Fig. 5, 6, 12 and 13",
          "Is BN special, or does normalization by another norm, which does not steady distributions, do as well?",
          runs_of(arms(), dln_arms()),
          what_was_run,
          findings};
}

}  // namespace bnlab
