#include "bnlab/doctor/pair.h"

#include <algorithm>
#include <cmath>

#include "bnlab/doctor/pair_rules/pair_rules.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

constexpr PairRule kPairRules[] = {
    {"P01", "tensors missing or added", tensors_differ},
    {"P02", "names differ", names_differ},
    {"P03", "statistics at their start in one file only", statistics_lost},
    {"P04", "statistics unchanged while weights changed", statistics_unmoved},
    {"P05", "statistics changed while weights did not", statistics_moved},
    {"P06", "statistics differ by a constant factor", statistics_rescaled},
    {"P07", "statistics in another place or form", statistics_misplaced},
    {"N17", "eps lost in a port", eps_differs},
};

}  // namespace

std::span<const PairRule> pair_rule_list() {
  return kPairRules;
}

bool are_same(const std::optional<Numbers>& a, const std::optional<Numbers>& b) {
  const auto equal = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
  return a && b && a->size() == b->size() && std::equal(a->begin(), a->end(), b->begin(), equal);
}

bool same_statistics(const LayerPair& pair) {
  return are_same(pair.before.running_mean, pair.after.running_mean) &&
         are_same(pair.before.running_var, pair.after.running_var);
}

Finding finding_at(const std::vector<const LayerPair*>& layers) {
  std::vector<const LayerFacts*> after;
  for (const LayerPair* pair : layers) after.push_back(&pair->after);
  return finding_at(after);
}

std::vector<const LayerPair*> layers_where(const PairFacts& facts, const std::function<bool(const LayerPair&)>& holds) {
  std::vector<const LayerPair*> layers;
  for (const LayerPair& pair : facts.layers) {
    if (holds(pair)) layers.push_back(&pair);
  }
  return layers;
}

Diagnosis compare(const PairFacts& facts) {
  Diagnosis diagnosis;
  for (const PairRule& rule : pair_rule_list()) {
    Answer answer = rule.check(facts);
    if (!answer.not_checked.empty()) diagnosis.not_checked.push_back({rule.id, rule.title, answer.not_checked});
    for (Finding& finding : answer.findings) {
      finding.id = rule.id;
      finding.title = rule.title;
      diagnosis.findings.push_back(std::move(finding));
    }
  }
  std::stable_sort(diagnosis.findings.begin(), diagnosis.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
  return diagnosis;
}

}  // namespace bnlab::doctor
