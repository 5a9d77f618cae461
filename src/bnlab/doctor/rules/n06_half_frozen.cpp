// N06: gamma and beta do not train, but the running statistics still move with every training batch.
#include <fmt/format.h>

#include <algorithm>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {

Answer half_frozen(const Facts& facts) {
  if (!facts.training_steps) return Answer::not_checked_because(facts.why_no("training steps"));
  std::vector<const LayerFacts*> layers;
  double moved = 0;
  for (const LayerFacts& layer : facts.layers) {
    if (!layer.affine || layer.gamma_trains || layer.beta_trains || !layer.steps || !(layer.steps->moved > 0)) continue;
    layers.push_back(&layer);
    moved = std::max(moved, layer.steps->moved);
  }
  if (layers.empty()) return Answer::none();

  const TrainingFacts& steps = *facts.training_steps;
  Finding finding = finding_at(layers);
  if (facts.losses) judge_by(finding, damage_between(steps.loss_moved, steps.loss_kept, *facts.losses));
  finding.evidence = fmt::format(
      "gamma and beta of {} do not train, but in {} the running means moved by up to {:.2g} standard deviations.",
      counted(layers.size(), "layer"), counted(static_cast<std::size_t>(steps.count), "step"), moved);
  if (finding.damage) {
    finding.evidence += fmt::format(" The loss afterwards is {:.4g}, and {:.4g} with the statistics kept.",
                                    mean_loss(steps.loss_moved, {}), mean_loss(steps.loss_kept, {}));
  }
  finding.remedy = "Keep frozen layers in evaluation mode, again after every model.train().";
  finding.repair = "freeze";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
