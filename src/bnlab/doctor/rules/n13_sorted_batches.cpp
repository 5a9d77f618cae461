// N13: batches whose means differ by more than chance allows. One number a sample (the mean of some positions) is
// looked at: its variance between batches over that within them, the F statistic of one-way analysis of variance, is
// about 1 for samples drawn at random, with a relative deviation of sqrt(2/(batches - 1)).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

constexpr std::int64_t kLeastBatches = 4;

double spread_of_batches(const LayerFacts& layer) {
  return median_of(layer.inputs->spread);
}

}  // namespace

Answer sorted_batches(const Facts& facts) {
  if (facts.batches < kLeastBatches) {
    return Answer::not_checked_because(facts.batches == 0 ? facts.why_no("moments")
                                                          : fmt::format("it takes {} batches", kLeastBatches));
  }
  const double bound = std::max(2.0, 1 + 6 * std::sqrt(2 / static_cast<double>(facts.batches - 1)));
  std::vector<const LayerFacts*> layers;
  double most = 0;
  for (const LayerFacts& layer : facts.layers) {
    if (!layer.inputs || layer.calls != 1) continue;
    const double spread = spread_of_batches(layer);
    if (!(spread > bound)) continue;
    layers.push_back(&layer);
    most = std::max(most, spread);
  }
  if (layers.empty()) return Answer::none();

  Finding finding = finding_at(layers);
  judge_by(finding, damage_of_exact(facts));
  finding.evidence = fmt::format(
      "The means of batches vary {:.2g} times as much as those of random batches would (up to {:.2g} times in other "
      "layers): samples of a batch are alike.",
      spread_of_batches(*layers.front()), most);
  if (facts.losses) finding.evidence += " On the same batches, " + losses_in_words(facts) + ".";
  finding.remedy = "Shuffle the training data (shuffle=True). In evaluation the order does no harm.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
