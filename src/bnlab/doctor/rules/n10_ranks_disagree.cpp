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

double distance_of(const LayerFacts& layer) {
  return layer.ranks.empty() ? 0 : layer.ranks[farthest_rank(layer)];
}

std::vector<const LayerFacts*> farther_than_chance(const Facts& facts) {
  std::vector<const LayerFacts*> layers;
  for (const LayerFacts& layer : facts.layers) {
    if (Departure{distance_of(layer), chance_of(layer)}.is_real()) layers.push_back(&layer);
  }
  return layers;
}

/// Those that are at least half as far as the farthest.
std::vector<const LayerFacts*> farthest(const Facts& facts) {
  double most = 0;
  for (const LayerFacts& layer : facts.layers) most = std::max(most, distance_of(layer));
  std::vector<const LayerFacts*> layers;
  for (const LayerFacts& layer : facts.layers) {
    if (most > 0 && distance_of(layer) >= most / 2) layers.push_back(&layer);
  }
  return layers;
}

}  // namespace

Answer ranks_disagree(const Facts& facts) {
  if (!facts.ranks) return Answer::not_checked_because(facts.why_no("ranks"));
  const RankFacts& ranks = *facts.ranks;
  std::optional<Damage> damage;
  if (facts.losses) damage = damage_between(facts.losses->running, ranks.merged, *facts.losses);
  std::vector<const LayerFacts*> layers = farther_than_chance(facts);
  // Small distances in many layers add up: what the statistics of all ranks recover is evidence enough.
  if (layers.empty() && damage && damage->matters()) layers = farthest(facts);
  if (layers.empty()) return Answer::none();

  const LayerFacts& first = *layers.front();
  Finding finding = finding_at(layers);
  const bool measured = facts.losses && !ranks.merged.empty();
  judge_by(finding, damage);
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
