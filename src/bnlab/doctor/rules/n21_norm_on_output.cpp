// N21: the model's output is a batch normalization's, whose mean and deviation are beta and gamma alone.
#include <fmt/format.h>

#include <cmath>

#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {

Answer norm_on_output(const Facts& facts) {
  std::vector<const LayerFacts*> layers;
  for (const LayerFacts& layer : facts.layers) {
    if (layer.is_output) layers.push_back(&layer);
  }
  if (layers.empty()) return Answer::none();
  Finding finding = finding_at(layers);
  finding.evidence = fmt::format(
      "The output of {} is the model's output: over a batch it has mean beta and deviation |gamma|, "
      "whatever the sample",
      finding.layer);
  if (layers.front()->gamma) {
    std::vector<double> gammas;
    for (const double gamma : *layers.front()->gamma) gammas.push_back(std::abs(gamma));
    finding.evidence += fmt::format(" (median |gamma| {:.3g})", median_of(std::move(gammas)));
  }
  finding.evidence += ".";
  finding.remedy = "Remove it, unless outputs of a fixed scale are what is wanted, as for embeddings.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
