// N19: dropout before a layer makes the variance in training another one than in evaluation. Li et al. 2019,
// "Understanding the disharmony between dropout and batch normalization by variance shift".
#include <fmt/format.h>

#include <cmath>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

constexpr double kShift = 0.1;

double ratio_of_variances(const DropoutFacts& dropout) {
  std::vector<double> ratios;
  for (std::size_t c = 0; c < dropout.var_on.size(); ++c) {
    if (dropout.var_off[c] > 0) ratios.push_back(dropout.var_on[c] / dropout.var_off[c]);
  }
  return median_of(std::move(ratios));
}

}  // namespace

Answer dropout_in_front(const Facts& facts) {
  std::vector<const LayerFacts*> layers;
  for (const LayerFacts& layer : facts.layers) {
    if (!layer.dropout) continue;
    if (layer.dropout->var_on.empty() || layer.dropout->var_off.empty()) {
      return Answer::not_checked_because(facts.why_no("dropout"));
    }
    if (std::abs(ratio_of_variances(*layer.dropout) - 1) > kShift) layers.push_back(&layer);
  }
  if (layers.empty()) return Answer::none();

  const LayerFacts& first = *layers.front();
  Finding finding = finding_at(layers);
  judge_by(finding, damage_of_running(facts));
  finding.evidence =
      fmt::format("With {} active, as in training, the variance of {}'s inputs is {:.2g} times that in evaluation.",
                  first.dropout->name, first.name, ratio_of_variances(*first.dropout));
  if (facts.losses) finding.evidence += " On the same batches, " + losses_in_words(facts) + ".";
  finding.remedy =
      "Move the dropout behind the last batch normalization; until then, take the statistics without dropout.";
  finding.repair = "recalibrate";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
