// N07: parameters that are an average of another model's (EMA, SWA, a target network), with running statistics that are
// not those of the averaged parameters: never taken, copied from the other model, or averaged along.
#include <fmt/format.h>

#include <algorithm>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/departure.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

bool has_donors_statistics(const LayerFacts& layer) {
  return layer.donor && layer.donor->mean == *layer.running_mean && layer.donor->var == *layer.running_var;
}

/// With the very parameters of the donor, its statistics are the right ones, and what is wrong with them is another
/// finding.
bool is_donors_copy(const AveragingFacts& averaging, const LayerFacts& layer) {
  return averaging.distance && *averaging.distance == 0 && has_donors_statistics(layer);
}

std::string origin_of(const AveragingFacts& averaging, const LayerFacts& layer) {
  if (is_at_start(layer)) return "still 0 and 1: no update of the average sets them";
  if (has_donors_statistics(layer)) return "the donor's, which are of other parameters";
  if (averaging.use_buffers && !*averaging.use_buffers) {
    return "copies of another model's: use_buffers=False averages parameters alone";
  }
  return "neither the donor's nor those of these parameters: averaged along, or of an earlier time";
}

}  // namespace

Answer stale_average(const Facts& facts) {
  if (!facts.averaging) return Answer::not_checked_because(facts.why_no("averaging"));
  if (facts.batches == 0) return Answer::not_checked_because(facts.why_no("moments"));
  const AveragingFacts& averaging = *facts.averaging;
  std::vector<const LayerFacts*> layers;
  double most = 0;
  for (const LayerFacts& layer : facts.layers) {
    const auto departure = departure_of(layer);
    if (!layer.averaged || !departure || !departure->is_real() || is_donors_copy(averaging, layer)) continue;
    layers.push_back(&layer);
    most = std::max(most, departure->distance);
  }
  const auto damage = damage_of_running(facts);
  if (layers.empty() || (damage && !damage->matters())) return Answer::none();

  Finding finding = finding_at(layers);
  judge_by(finding, damage);
  finding.evidence = averaging.by == "donor" ? "The parameters are an average of another model's"
                                             : fmt::format("The parameters are the average of {}", averaging.by);
  if (averaging.updates) finding.evidence += " over " + counted(static_cast<std::size_t>(*averaging.updates), "update");
  if (averaging.distance) finding.evidence += fmt::format(" (they are {:.2g} off the donor's)", *averaging.distance);
  finding.evidence += fmt::format(
      ", and the running statistics of {} are {}. They depart from the inputs by up to {:.2g} standard "
      "deviations.",
      finding.layer, origin_of(averaging, *layers.front()), most);
  if (damage) finding.evidence += " On the same batches, " + losses_in_words(facts) + ".";
  finding.remedy =
      "Take the statistics of the averaged parameters from training data before each evaluation "
      "(torch.optim.swa_utils.update_bn, or recalibrate).";
  finding.repair = "recalibrate";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
