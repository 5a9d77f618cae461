// N20: a bias that the mean takes away again.
#include <fmt/format.h>

#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {

Answer redundant_bias(const Facts& facts) {
  std::vector<const LayerFacts*> layers;
  for (const LayerFacts& layer : facts.layers) {
    if (!layer.producer || !layer.producer->has_bias) continue;
    layers.push_back(&layer);
  }
  if (layers.empty()) return Answer::none();
  Finding finding = finding_at(layers);
  finding.evidence =
      fmt::format("In front of {} lies a bias that batch normalization takes away again, the first in {}.",
                  counted(layers.size(), "layer"), layers.front()->producer->name);
  finding.remedy = "Build the modules in front with bias=False; it changes no output.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
