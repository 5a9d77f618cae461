// N17: an eps that is not the one that the weights were trained with (Keras 1e-3, Caffe and PyTorch 1e-5).
#include <fmt/format.h>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

constexpr double kShareOfStatistics = 0.8;

Answer better_eps(const Facts& facts) {
  const TrialFacts* best = nullptr;
  std::optional<Damage> recovered;
  for (const TrialFacts& trial : facts.trials) {
    if (trial.setting != "eps" || !facts.losses) continue;
    const auto damage = damage_between(facts.losses->running, trial.running, *facts.losses);
    if (!damage || !damage->matters() || (recovered && recovered->loss >= damage->loss)) continue;
    best = &trial;
    recovered = damage;
  }
  if (best == nullptr) return Answer::none();
  Finding finding;
  judge_by(finding, recovered);
  finding.layer = facts.layers.front().name;
  finding.evidence =
      fmt::format("The loss of the first {} batches is {:.4g} with eps {:g} in all layers, and {:.4g} as it is.",
                  best->running.size(), mean_loss(best->running, facts.losses->samples), best->value,
                  mean_loss(best->running, facts.losses->samples) + recovered->loss);
  finding.remedy = fmt::format("Set eps to {:g}, if the weights come from a library that has it.", best->value);
  return Answer::of(finding);
}

}  // namespace

Answer eps_lost(const Facts& facts) {
  Answer answer = better_eps(facts);
  const auto by_statistics = damage_of_running(facts);
  // Statistics taken again with the wrong eps make up for most of it, but another eps makes up for no wrong statistics.
  const bool is_of_statistics = by_statistics && by_statistics->matters() && !answer.findings.empty() &&
                                !(*answer.findings.front().damage >= kShareOfStatistics * by_statistics->loss);
  if (!answer.findings.empty() && !is_of_statistics) return answer;
  std::vector<const LayerFacts*> layers;
  for (const LayerFacts& layer : facts.layers) {
    if (!has_statistics(layer) || is_at_start(layer) || !layer.eps) continue;
    if (!(*layer.eps > 0) || median_of(*layer.running_var) < *layer.eps) layers.push_back(&layer);
  }
  if (layers.empty()) return Answer::none();
  const LayerFacts& first = *layers.front();
  Finding finding = finding_at(layers);
  finding.evidence =
      *first.eps > 0
          ? fmt::format(
                "eps {:g} is larger than the running variance of most channels of {} (median {:.2g}), which it "
                "therefore does not normalize.",
                *first.eps, first.name, median_of(*first.running_var))
          : fmt::format("eps {:g} of {}: a constant channel is divided by 0.", *first.eps, first.name);
  finding.remedy = "Check eps against the library that the weights come from.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
