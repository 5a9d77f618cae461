// N08: a mean and a variance of few values: noise in training, an error with one value.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

constexpr std::int64_t kFewValues = 32;

bool is_few(std::int64_t values) {
  return values > 0 && values < kFewValues;
}

Finding few(const Facts& facts, const std::vector<const LayerFacts*>& layers, std::int64_t values, bool only_last) {
  Finding finding = finding_at(layers);
  judge_by(finding, only_last ? std::nullopt : damage_of_batch(facts));
  const char* where = only_last ? "In the last batch a channel" : "A channel";
  if (values == 1) {
    finding.severity = std::max(finding.severity, Severity::kWarning);
    finding.evidence = fmt::format("{} of {} has a single value, which has no variance: training stops with an error.",
                                   where, finding.layer);
  } else {
    finding.evidence = fmt::format(
        "{} of {} has {} values; the mean and variance of so few are noise (relative error of the deviation about "
        "{:.0f} %).",
        where, finding.layer, values, 100 / std::sqrt(2.0 * static_cast<double>(values)));
  }
  if (!only_last && facts.losses) finding.evidence += " On the same batches, " + losses_in_words(facts) + ".";
  finding.remedy = only_last ? "Leave the last batch out in training (drop_last=True)."
                             : "Use larger batches, freeze the statistics, or normalize by groups instead.";
  finding.repair = only_last ? "" : "freeze";
  return finding;
}

}  // namespace

Answer few_values(const Facts& facts) {
  if (facts.batches == 0) return Answer::not_checked_because(facts.why_no("moments"));
  std::vector<const LayerFacts*> layers, at_end;
  std::int64_t least = kFewValues, least_at_end = kFewValues;
  for (const LayerFacts& layer : facts.layers) {
    if (layer.stays_frozen) continue;
    if (is_few(layer.least_values)) {
      layers.push_back(&layer);
      least = std::min(least, layer.least_values);
    } else if (is_few(layer.last_values)) {
      at_end.push_back(&layer);
      least_at_end = std::min(least_at_end, layer.last_values);
    }
  }
  Answer answer;
  if (!layers.empty()) answer.findings.push_back(few(facts, layers, least, false));
  if (!at_end.empty()) answer.findings.push_back(few(facts, at_end, least_at_end, true));
  return answer;
}

}  // namespace bnlab::doctor
