// N02: running statistics at the values that a layer begins with, in a model that was trained.
#include <fmt/format.h>

#include <algorithm>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/departure.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {

Answer statistics_never_set(const Facts& facts) {
  if (is_untrained(facts) || was_trained_in_evaluation_mode(facts)) return Answer::none();
  std::vector<const LayerFacts*> layers;
  double departure_most = -1;
  bool counted_batches = false, still = false;
  for (const LayerFacts& layer : facts.layers) {
    if (!is_at_start(layer)) continue;
    const auto departure = departure_of(layer);
    if (departure && !departure->is_real()) continue;  // inputs that have mean 0 and variance 1
    layers.push_back(&layer);
    if (departure) departure_most = std::max(departure_most, departure->distance);
    counted_batches |= layer.num_batches_tracked.value_or(0) > 0;
    still |= layer.momentum && *layer.momentum == 0;
  }
  if (layers.empty()) return Answer::none();

  Finding finding = finding_at(layers);
  const auto damage = damage_of_running(facts);
  judge_by(finding, damage);
  if (!damage) finding.severity = Severity::kWarning;  // no lint: values that no training leaves behind
  finding.evidence = fmt::format("The running statistics of {} are 0 and 1 in every channel, as before training",
                                 counted(layers.size(), "layer"));
  if (counted_batches) {
    finding.evidence += still ? ", since momentum is 0" : ", though num_batches_tracked is above 0";
  } else if (layers.front()->num_batches_tracked) {
    finding.evidence += ", and num_batches_tracked is 0";
  }
  if (departure_most >= 0) {
    finding.evidence += fmt::format("; inputs depart from them by up to {:.2g} standard deviations", departure_most);
  }
  finding.evidence += ".";
  if (damage) finding.evidence += " On the same batches, " + losses_in_words(facts) + ".";
  finding.remedy =
      "Load the buffers too (running_mean, running_var: strict=True says which keys are missing), or take the "
      "statistics again from training data.";
  finding.repair = "recalibrate";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
