// N11: one layer normalizes inputs of several sources (real and generated images, domains, the branches of a siamese
// network), each by itself in training, and all by one running average in evaluation.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

constexpr double kLargeShare = 0.1;

/// Beyond chance, as of the F statistic of n13_sorted_batches.cpp.
bool is_beyond_chance(const std::optional<MixFacts>& mix) {
  if (!mix) return false;
  const double bound = std::max(2.0, 1 + 6 * std::sqrt(2 / static_cast<double>(mix->freedom)));
  return median_of(mix->spread) > bound;
}

/// And a good part of all variance.
bool differs(const std::optional<MixFacts>& mix) {
  return is_beyond_chance(mix) && median_of(mix->share) > kLargeShare;
}

std::optional<Damage> damage_of_mixing(const Facts& facts) {
  if (!facts.losses || !facts.sources) return {};
  return damage_between(facts.sources->mixed, facts.sources->apart, *facts.losses);
}

/// Layers whose sources differ much. Where none do, but the loss is better with each source by itself, small
/// differences in many layers add up: those with at least half of the largest share.
std::vector<const LayerFacts*> layers_of_sources(const Facts& facts) {
  std::vector<const LayerFacts*> much, some;
  double most = 0;
  for (const LayerFacts& layer : facts.layers) {
    if (differs(layer.sources)) much.push_back(&layer);
    if (is_beyond_chance(layer.sources)) most = std::max(most, median_of(layer.sources->share));
  }
  const auto damage = damage_of_mixing(facts);
  if (!much.empty() || !(damage && damage->matters())) return much;
  for (const LayerFacts& layer : facts.layers) {
    if (is_beyond_chance(layer.sources) && median_of(layer.sources->share) >= most / 2) some.push_back(&layer);
  }
  return some;
}

Finding by_source(const Facts& facts, const std::vector<const LayerFacts*>& layers) {
  Finding finding = finding_at(layers);
  const SourcesFacts& sources = *facts.sources;
  judge_by(finding, damage_of_mixing(facts));
  finding.evidence =
      fmt::format("In {}, {:.0f} % of the variance of inputs is between {} (median channel).", finding.layer,
                  100 * median_of(layers.front()->sources->share), counted(sources.names.size(), "source"));
  if (finding.damage) {
    finding.evidence += fmt::format(
        " The loss is {:.4g} by statistics of all together and {:.4g} with each sample by those of its source.",
        mean_loss(sources.mixed, facts.losses->samples), mean_loss(sources.apart, facts.losses->samples));
  }
  return finding;
}

Finding by_calls(const Facts& facts, const std::vector<const LayerFacts*>& layers) {
  Finding finding = finding_at(layers);
  judge_by(finding, damage_of_running(facts));
  finding.evidence = fmt::format(
      "In {}, {:.0f} % of the variance of inputs is between the calls of a training step (median channel): each is "
      "normalized by itself, and one running average is kept of all.",
      finding.layer, 100 * median_of(layers.front()->steps->mix->share));
  if (facts.losses) finding.evidence += " On the loader's batches, " + losses_in_words(facts) + ".";
  return finding;
}

}  // namespace

Answer mixed_sources(const Facts& facts) {
  const bool watched = facts.training_steps && facts.training_steps->watched;
  if (!facts.sources && !watched) return Answer::not_checked_because(facts.why_no("sources"));
  const std::vector<const LayerFacts*> of_sources = layers_of_sources(facts);
  std::vector<const LayerFacts*> of_calls;
  for (const LayerFacts& layer : facts.layers) {
    if (layer.steps && differs(layer.steps->mix)) of_calls.push_back(&layer);
  }
  if (of_sources.empty() && of_calls.empty()) return Answer::none();
  Finding finding = facts.sources && !of_sources.empty() ? by_source(facts, of_sources) : by_calls(facts, of_calls);
  finding.remedy =
      "Give each source layers of its own (as in domain-specific batch normalization), or put all sources into each "
      "batch, in training and when statistics are taken.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
