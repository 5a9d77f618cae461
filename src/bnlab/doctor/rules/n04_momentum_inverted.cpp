// N04: a momentum of another library's convention: 0.9 or 0.99 where PyTorch means 0.1 or 0.01.
#include <fmt/format.h>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {

Answer momentum_inverted(const Facts& facts) {
  constexpr double kLeast = 0.5;
  std::vector<const LayerFacts*> layers;
  for (const LayerFacts& layer : facts.layers) {
    if (has_statistics(layer) && layer.momentum && *layer.momentum >= kLeast) layers.push_back(&layer);
  }
  if (layers.empty()) return Answer::none();

  const double momentum = *layers.front()->momentum;
  Finding finding = finding_at(layers);
  judge_by(finding, damage_of_running(facts));
  finding.evidence = fmt::format(
      "Momentum {:g} in {}: here it is the weight of the new batch, so the last batch alone makes {:.0f} % of the "
      "running statistics (Keras, Caffe and ONNX give the weight of the old ones).",
      momentum, counted(layers.size(), "layer"), 100 * momentum);
  if (facts.losses) finding.evidence += " On the same batches, " + losses_in_words(facts) + ".";
  finding.remedy =
      momentum < 1 ? fmt::format("Set it to 1 - {:g} = {:.4g}, and take the statistics again.", momentum, 1 - momentum)
                   : "Set it to 0.1, and take the statistics again.";
  finding.repair = "set_momentum";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
