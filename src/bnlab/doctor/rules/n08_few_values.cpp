// N08: a mean and a variance of few values: noise in training, an error with one value. Of n independent values, the
// variance has a relative deviation of sqrt(2/(n - 1)): a quarter at the bound of 32. Positions of an image are alike,
// so that n values of a few images tell less; how much less shows in how much the means of batches vary.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

constexpr std::int64_t kFewValues = 32, kTellingBatches = 8;
constexpr char kRemedy[] = "Use larger batches, freeze the statistics, or normalize by groups instead.";

bool is_few(std::int64_t values) {
  return values > 0 && values < kFewValues;
}

/// Of how many independent values a batch's mean is as noisy as it is: variance / variance of the batches' means. What
/// batches of samples that are alike (N13) add to the latter is taken off: `spread`, 1 by chance. At least the number
/// of samples, if these are drawn at random. None if it was not seen.
std::optional<double> independent_values(const LayerFacts& layer) {
  if (!layer.inputs || layer.calls != 1 || layer.inputs->batches < kTellingBatches || layer.inputs->spread.empty())
    return {};
  const InputFacts& inputs = *layer.inputs;
  const auto batches = static_cast<double>(inputs.batches);
  Numbers values;
  for (std::size_t c = 0; c < inputs.between.size(); ++c) {
    const double of_means = inputs.between[c] * batches / (batches - 1);
    if (of_means > 0) values.push_back(inputs.var_biased[c] / of_means);
  }
  if (values.empty()) return {};
  return median_of(values) * std::max(1.0, median_of(inputs.spread));
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
  finding.remedy = only_last ? "Leave the last batch out in training (drop_last=True)." : kRemedy;
  finding.repair = only_last ? "" : "freeze";
  return finding;
}

/// Layers with values enough, of so few images that they are few all the same; only where that is seen to cost loss.
Answer few_images(const Facts& facts) {
  const auto damage = damage_of_batch(facts);
  if (!damage || !damage->matters()) return Answer::none();
  std::vector<const LayerFacts*> layers;
  for (const LayerFacts& layer : facts.layers) {
    const auto values = independent_values(layer);
    if (!layer.stays_frozen && values && *values < static_cast<double>(kFewValues)) layers.push_back(&layer);
  }
  if (layers.empty()) return Answer::none();
  const LayerFacts& first = *layers.front();
  Finding finding = finding_at(layers);
  judge_by(finding, damage);
  const double values = *independent_values(first);
  finding.evidence = fmt::format(
      "A channel of {} has {} values, but positions of an image are alike: the means of batches vary as those of "
      "{:.0f} independent values would (relative error of the deviation about {:.0f} %). On the same batches, {}.",
      first.name, first.least_values, values, 100 / std::sqrt(2 * values), losses_in_words(facts));
  finding.remedy = kRemedy;
  finding.repair = "freeze";
  return Answer::of(finding);
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
  if (layers.empty()) answer = few_images(facts);
  if (!at_end.empty()) answer.findings.push_back(few(facts, at_end, least_at_end, true));
  return answer;
}

}  // namespace bnlab::doctor
