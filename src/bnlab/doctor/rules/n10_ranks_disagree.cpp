// N10: ranks of one run keep running statistics of their own, which have moved apart.
#include <fmt/format.h>

#include <algorithm>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/departure.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

/// The rank that is farthest from all of them together.
std::size_t farthest_rank(const LayerFacts& layer) {
  return static_cast<std::size_t>(std::max_element(layer.ranks.begin(), layer.ranks.end()) - layer.ranks.begin());
}

}  // namespace

Answer ranks_disagree(const Facts& facts) {
  if (!facts.ranks) return Answer::not_checked_because(facts.why_no("ranks"));
  std::vector<const LayerFacts*> layers;
  for (const LayerFacts& layer : facts.layers) {
    if (layer.ranks.empty()) continue;
    if (Departure{layer.ranks[farthest_rank(layer)], chance_of(layer)}.is_real()) layers.push_back(&layer);
  }
  if (layers.empty()) return Answer::none();

  const LayerFacts& first = *layers.front();
  const RankFacts& ranks = *facts.ranks;
  Finding finding = finding_at(layers);
  const bool measured = facts.losses && !ranks.merged.empty();
  if (measured) judge_by(finding, damage_between(facts.losses->running, ranks.merged, *facts.losses));
  finding.evidence = fmt::format(
      "Running statistics differ between {} ranks: in {}, those of rank {} are {:.2g} standard deviations "
      "from all together.",
      ranks.count, first.name, farthest_rank(first), first.ranks[farthest_rank(first)]);
  if (measured) {
    finding.evidence += fmt::format(
        " On {} batches, the loss is {:.4g} by its running statistics and {:.4g} by those of all ranks together.",
        ranks.own ? "this rank's" : "the loader's", mean_loss(facts.losses->running, facts.losses->samples),
        mean_loss(ranks.merged, facts.losses->samples));
  }
  finding.remedy =
      "Train with torch.nn.SyncBatchNorm, or take one set of statistics for all ranks before evaluating and saving "
      "(average the buffers, or take them again from data of all ranks); see that ranks get random shares of the data.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
