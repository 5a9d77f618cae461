// N05: layers that normalize by the batch in a model that evaluates, or that never did while the model was trained.
#include <fmt/format.h>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

Finding found_training(const Facts& facts, const std::vector<const LayerFacts*>& layers) {
  Finding finding = finding_at(layers);
  finding.severity = Severity::kWarning;  // no lint: outputs depend on the rest of the batch, and statistics move
  finding.evidence = fmt::format(
      "The model is in evaluation mode, but {} of {} are in training mode: outputs depend on the rest of the batch, "
      "and each call moves the running statistics.",
      counted(layers.size(), "layer"), facts.layers.size());
  if (facts.losses && !facts.losses->as_found.empty()) {
    const auto damage = damage_between(facts.losses->as_found, facts.losses->running, *facts.losses);
    if (damage && damage->severity() > finding.severity) finding.severity = damage->severity();
    if (damage) finding.damage = damage->loss;
    finding.evidence += fmt::format(" The loss is {:.4g} as found and {:.4g} with all layers in evaluation mode.",
                                    mean_loss(facts.losses->as_found, facts.losses->samples),
                                    mean_loss(facts.losses->running, facts.losses->samples));
  }
  finding.remedy = "Call model.eval() before evaluation, and nothing that switches layers back after it.";
  return finding;
}

Finding trained_in_evaluation(const Facts& facts) {
  const LossFacts& losses = *facts.losses;
  std::vector<const LayerFacts*> layers;
  for (const LayerFacts& layer : facts.layers) {
    if (is_at_start(layer)) layers.push_back(&layer);
  }
  Finding finding = finding_at(layers);
  judge_by(finding, damage_between(losses.exact.empty() ? losses.batch : losses.exact, losses.running, losses));
  finding.damage.reset();  // no repair recovers it
  finding.evidence = "The statistics are still 0 and 1, and serve better than any other: " + losses_in_words(facts) +
                     ". The model was trained in evaluation mode, so its layers never normalized.";
  finding.remedy = "Call model.train() before each epoch of training, and train again.";
  return finding;
}

}  // namespace

Answer wrong_mode(const Facts& facts) {
  Answer answer;
  std::vector<const LayerFacts*> training, without;
  for (const LayerFacts& layer : facts.layers) {
    if (layer.training) training.push_back(&layer);
    if (!has_statistics(layer) && layer.channels > 0) without.push_back(&layer);
  }
  if (!facts.training && !training.empty()) answer.findings.push_back(found_training(facts, training));
  if (was_trained_in_evaluation_mode(facts)) answer.findings.push_back(trained_in_evaluation(facts));
  if (!without.empty()) {
    Finding finding = finding_at(without);
    finding.evidence = fmt::format(
        "{} without running statistics (track_running_stats=False): outputs depend on the rest of the batch in "
        "evaluation mode too.",
        counted(without.size(), "layer"));
    finding.remedy = "Keep running statistics, unless every batch is meant to be normalized by itself.";
    answer.findings.push_back(finding);
  }
  return answer;
}

}  // namespace bnlab::doctor
