// N23: an exported graph whose layers normalize by the batch, or whose dropout drops: what model.train() left behind.
#include <fmt/format.h>

#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

std::string layers_in_words(const Facts& facts, std::size_t training) {
  const char* flag = facts.exported == "onnx" ? "training_mode=1" : "training=True";
  return fmt::format(
      "{} of {} in this export have {}: each run normalizes by its own batch, so outputs depend on the rest of the "
      "batch and a single sample may fail.",
      training, counted(facts.layers.size(), "batch normalization node"), flag);
}

std::string dropout_in_words(const std::vector<std::string>& names) {
  const std::string others = names.size() > 1 ? fmt::format(" and {} more", names.size() - 1) : "";
  return fmt::format("Dropout is on in {}{}: outputs are random.", names.front(), others);
}

}  // namespace

Answer exported_in_training_mode(const Facts& facts) {
  if (facts.exported.empty()) return Answer::not_checked_because("nothing exported was given");
  std::vector<const LayerFacts*> training;
  for (const LayerFacts& layer : facts.layers) {
    // A layer without running statistics normalizes by the batch in evaluation mode too: N05.
    if (layer.training && layer.track_running_stats) training.push_back(&layer);
  }
  if (training.empty() && facts.active_dropout.empty()) return Answer::none();

  Finding finding = training.empty() ? Finding{} : finding_at(training);
  finding.severity = Severity::kWarning;  // no lint: what runs is another function than the model that was evaluated
  if (!training.empty()) finding.evidence = layers_in_words(facts, training.size());
  if (!facts.active_dropout.empty()) {
    finding.evidence += (training.empty() ? "" : " ") + dropout_in_words(facts.active_dropout);
  }
  finding.remedy = "Call model.eval() before the export, and export again.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
