// N20: a bias that the mean takes away again.
#include <fmt/format.h>

#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {

Answer redundant_bias(const Facts& facts) {
  std::vector<const LayerFacts*> layers;
  std::int64_t numbers = 0;
  for (const LayerFacts& layer : facts.layers) {
    if (!layer.producer || !layer.producer->has_bias) continue;
    layers.push_back(&layer);
    numbers += layer.channels;
  }
  if (layers.empty()) return Answer::none();
  Finding finding = finding_at(layers);
  finding.evidence =
      fmt::format("{} in front of batch normalization, the first {}: {} parameters without effect in training.",
                  layers.size() == 1 ? "1 bias" : std::to_string(layers.size()) + " biases",
                  layers.front()->producer->name, numbers);
  finding.remedy = "Build these layers with bias=False; it changes no output.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
