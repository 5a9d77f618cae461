// N15: running statistics that no data have.
#include <fmt/format.h>

#include <cmath>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

std::size_t impossible_channels(const LayerFacts& layer) {
  std::size_t count = 0;
  for (std::size_t c = 0; c < layer.running_mean->size(); ++c) {
    const double mean = (*layer.running_mean)[c], running_var = (*layer.running_var)[c];
    count += !std::isfinite(mean) || !std::isfinite(running_var) || running_var < 0;
  }
  return count;
}

bool has_impossible_inputs(const LayerFacts& layer) {
  if (!layer.inputs) return false;
  for (const double value : layer.inputs->var_biased) {
    if (!std::isfinite(value)) return true;
  }
  return false;
}

}  // namespace

Answer statistics_not_finite(const Facts& facts) {
  std::vector<const LayerFacts*> layers;
  for (const LayerFacts& layer : facts.layers) {
    if (has_statistics(layer) && impossible_channels(layer) > 0) layers.push_back(&layer);
  }
  if (layers.empty()) return Answer::none();

  const LayerFacts& first = *layers.front();
  Finding finding = finding_at(layers);
  judge_by(finding, damage_of_running(facts));
  finding.severity = Severity::kError;
  finding.evidence = fmt::format(
      "{} of {} channels of {} have a running mean that is not finite, or a running variance that "
      "is not finite or negative",
      impossible_channels(first), first.channels, first.name);
  finding.evidence += has_impossible_inputs(first) ? "; on this data its inputs are not finite either." : ".";
  finding.remedy =
      "Take the statistics again from training data; bnlab.convert(model, skip_nonfinite=True) keeps a batch that "
      "overflows out of them.";
  finding.repair = "recalibrate";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
