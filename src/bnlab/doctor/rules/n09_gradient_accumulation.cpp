// N09: several training batches go through a layer between two steps of the optimizer.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {

Answer gradient_accumulation(const Facts& facts) {
  if (!facts.training_steps) return Answer::not_checked_because(facts.why_no("training steps"));
  if (!facts.training_steps->watched) {
    return Answer::not_checked_because(
        "only the program's own steps tell: put bnlab.doctor.watch(model, optimizer) around some");
  }
  std::vector<const LayerFacts*> layers;
  for (const LayerFacts& layer : facts.layers) {
    if (layer.steps && layer.steps->calls_per_step > 1) layers.push_back(&layer);
  }
  if (layers.empty()) return Answer::none();

  const LayerFacts& first = *layers.front();
  const std::int64_t calls = first.steps->calls_per_step;
  Finding finding = finding_at(layers);
  finding.evidence = fmt::format(
      "{} training batches a step: each is normalized by itself, so the batch that counts is the small one", calls);
  if (first.momentum) {
    finding.evidence += fmt::format(", and the running statistics move {} times a step, as with momentum {:.3g}", calls,
                                    1 - std::pow(1 - *first.momentum, static_cast<double>(calls)));
  }
  finding.evidence += ".";
  finding.remedy =
      "Choose the momentum for the small batches (bnlab.convert(model, once_per_step=True) moves the statistics once a "
      "step), or freeze them; no accumulation makes the batch that is normalized by larger.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
