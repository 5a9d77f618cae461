// N01: the model is good by the batches' own or by exact statistics, and worse by the running ones that it evaluates
// by.
#include <fmt/format.h>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/departure.h"
#include "bnlab/doctor/rules/rule_list.h"

namespace bnlab::doctor {

Answer evaluation_differs(const Facts& facts) {
  const LayerFacts* first = first_departing(facts);
  const auto departure = first != nullptr ? own_departure_of(*first) : std::nullopt;
  const auto damage = damage_of_running(facts);
  if (!damage && !departure) return Answer::not_checked_because(facts.why_no("losses"));
  if (damage ? !damage->matters() : !departure->is_real()) return Answer::none();

  Finding finding;
  judge_by(finding, damage);
  if (damage) finding.evidence = "On the same batches, " + losses_in_words(facts) + ". ";
  if (departure) finding.layer = first->name;
  if (departure && departure->is_real()) {
    finding.evidence += fmt::format(
        "The first layer whose running statistics are far from those of its inputs is {}: {:.2g} standard deviations.",
        first->name, departure->distance);
  } else {
    finding.evidence += "No single layer departs by more than chance";
    finding.evidence += departure ? fmt::format("; {} departs most.", first->name) : ".";
  }
  if (!damage) finding.evidence += " What it costs is not measured: " + facts.why_no("losses") + ".";
  finding.remedy =
      "Take the statistics again from training data; if training goes on, a larger momentum follows faster.";
  finding.repair = "recalibrate";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
