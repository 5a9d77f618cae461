// N22: weight decay pulls gamma to 0 and beta too, which no other weight makes up for.
#include <fmt/format.h>

#include <algorithm>

#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {

Answer decayed_parameters(const Facts& facts) {
  std::vector<const LayerFacts*> layers;
  double most = 0;
  bool known = false;
  for (const LayerFacts& layer : facts.layers) {
    known |= layer.weight_decay.has_value();
    if (!(layer.weight_decay.value_or(0) > 0)) continue;
    layers.push_back(&layer);
    most = std::max(most, *layer.weight_decay);
  }
  if (!known) return Answer::not_checked_because(facts.why_no("optimizer"));
  if (layers.empty()) return Answer::none();
  Finding finding = finding_at(layers);
  finding.evidence =
      fmt::format("The optimizer decays gamma and beta of {} by {:g}.", counted(layers.size(), "layer"), most);
  finding.remedy = "Give them a parameter group of their own with weight_decay=0.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
