// N14: positions that are padding are counted in the statistics, which therefore depend on how much of it a batch has.
#include <fmt/format.h>

#include <algorithm>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/departure.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

constexpr double kSmallShift = 0.05;  // as Departure::is_real()

double shift_by_padding(const LayerFacts& layer) {
  return distance_between(layer.inputs->mean, layer.inputs->var_biased, layer.real->mean, layer.real->var_biased,
                          layer.eps.value_or(0));
}

std::string unmatched_in_words(const PaddingFacts& padding) {
  if (padding.unmatched.empty()) return "";
  return fmt::format(" The mask does not fit the inputs of {}, first {}: not looked at.",
                     counted(padding.unmatched.size(), "layer"), padding.unmatched.front());
}

}  // namespace

Answer padding_counted(const Facts& facts) {
  if (!facts.padding) return Answer::not_checked_because(facts.why_no("padding"));
  std::vector<const LayerFacts*> layers;
  double most = 0;
  bool any = false;
  for (const LayerFacts& layer : facts.layers) {
    if (!layer.real || !layer.inputs) continue;
    any = true;
    const double shift = shift_by_padding(layer);
    if (shift <= kSmallShift) continue;
    layers.push_back(&layer);
    most = std::max(most, shift);
  }
  if (!any) return Answer::not_checked_because("the mask fits the inputs of no layer");
  if (layers.empty()) return Answer::none();

  const LayerFacts& first = *layers.front();
  Finding finding = finding_at(layers);
  const bool measured = facts.losses && !facts.padding->real.empty();
  if (measured) judge_by(finding, damage_between(facts.losses->running, facts.padding->real, *facts.losses));
  finding.evidence = fmt::format(
      "{:.0f} % of the positions of {} are padding. Statistics that count them are {:.2g} standard deviations from "
      "those of the real positions (up to {:.2g} in other layers).",
      100 * (1 - first.real->share), first.name, shift_by_padding(first), most);
  if (measured) {
    finding.evidence += fmt::format(" The loss is {:.4g} by running statistics and {:.4g} by those of real positions.",
                                    mean_loss(facts.losses->running, facts.losses->samples),
                                    mean_loss(facts.padding->real, facts.losses->samples));
  }
  finding.evidence += unmatched_in_words(*facts.padding);
  finding.remedy =
      "Normalize by the real positions alone: gather them into one (positions, channels) tensor, apply "
      "BatchNorm1d, and scatter them back; or sort samples by length, so that batches have little padding.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
