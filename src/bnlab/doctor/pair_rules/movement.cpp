// P03 to P05: statistics that were lost, that stood still, or that moved alone.
#include <fmt/format.h>

#include "bnlab/doctor/pair_rules/pair_rules.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

bool same_parameters(const LayerPair& pair) {
  const auto same = [](const std::optional<Numbers>& a, const std::optional<Numbers>& b) {
    return (!a && !b) || are_same(a, b);
  };
  return same(pair.before.gamma, pair.after.gamma) && same(pair.before.beta, pair.after.beta);
}

/// Whether anything but running statistics changed; none if that is not known.
std::optional<bool> weights_changed(const PairFacts& facts) {
  for (const LayerPair& pair : facts.layers) {
    if (!same_parameters(pair)) return true;
  }
  if (!facts.others) return {};
  return facts.others->changed > 0;
}

const char* const kWeightsUnknown = "not all tensors of both files are known";

}  // namespace

Answer statistics_lost(const PairFacts& facts) {
  const auto lost = layers_where(facts, [](const LayerPair& pair) {
    return is_at_start(pair.after) && has_statistics(pair.before) && !is_at_start(pair.before);
  });
  if (lost.empty()) return Answer::none();
  Finding finding = finding_at(lost);
  finding.severity = Severity::kWarning;
  finding.evidence = fmt::format("The running statistics of {} are 0 and 1 in {}, as before training, and set in {}.",
                                 counted(lost.size(), "layer"), facts.after, facts.before);
  finding.remedy =
      "Carry the buffers over too (running_mean, running_var), or take the statistics again from training data.";
  return Answer::of(finding);
}

Answer statistics_unmoved(const PairFacts& facts) {
  const auto changed = weights_changed(facts);
  if (!changed) return Answer::not_checked_because(kWeightsUnknown);
  const auto still = layers_where(facts, same_statistics);
  if (!*changed || still.empty()) return Answer::none();
  const auto trained =
      layers_where(facts, [](const LayerPair& pair) { return same_statistics(pair) && !same_parameters(pair); });
  const auto never_set =
      layers_where(facts, [](const LayerPair& pair) { return same_statistics(pair) && is_at_start(pair.after); });
  Finding finding = finding_at(still);
  finding.evidence =
      fmt::format("The running statistics of {} of {} are the same in both files, though weights changed",
                  counted(still.size(), "layer"), facts.layers.size());
  if (!trained.empty()) {
    finding.evidence += fmt::format("; of {} gamma or beta did", counted(trained.size(), "layer"));
  }
  finding.evidence += ".";
  if (!never_set.empty()) {
    finding.severity = Severity::kWarning;
    finding.evidence += fmt::format(" In {} they are 0 and 1, as before training.", counted(never_set.size(), "layer"));
  }
  finding.remedy =
      "Right for layers that were frozen; else the model was trained in evaluation mode (model.train() before each "
      "epoch), "
      "or the buffers were not stored with the weights.";
  return Answer::of(finding);
}

Answer statistics_moved(const PairFacts& facts) {
  const auto changed = weights_changed(facts);
  if (!changed) return Answer::not_checked_because(kWeightsUnknown);
  if (*changed) return Answer::none();
  const auto moved = layers_where(facts, [](const LayerPair& pair) {
    return has_statistics(pair.before) && has_statistics(pair.after) && !same_statistics(pair) &&
           !is_at_start(pair.after) && !is_misplaced(pair) &&
           !constant_factor(pair.before.running_var, pair.after.running_var, pair.after.dtype);
  });
  if (moved.empty()) return Answer::none();
  Finding finding = finding_at(moved);
  finding.evidence =
      fmt::format("The running statistics of {} differ, and no weight does.", counted(moved.size(), "layer"));
  finding.remedy =
      "Right after a recalibration; else data went through the model in training mode (model.eval() before "
      "evaluation).";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
