// N24: a model that was folded or quantized against the one that it was made from. A fold multiplies each output
// channel's weights by gamma/sqrt(var + eps); where these gains differ much, one scale for all channels leaves the
// small ones few of the 256 steps. Sources: Jacob et al. 2018; Nagel et al. 2019, "Data-free quantization through
// weight equalization".
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

constexpr double kLargeOutputError = 1e-3, kLargeLayerError = 1e-3, kWideSpread = 8;

/// The largest range of a channel over the median one.
double spread_of(const FoldedFacts& folded) {
  const double median = median_of(folded.range);
  const double largest = folded.range.empty() ? 0 : *std::max_element(folded.range.begin(), folded.range.end());
  return median > 0 ? largest / median : std::nan("");
}

const FoldedFacts* first_wrong(const ReferenceFacts& reference) {
  for (const FoldedFacts& folded : reference.folded) {
    if (folded.error && !(*folded.error <= kLargeLayerError)) return &folded;
  }
  return nullptr;
}

const FoldedFacts* widest(const ReferenceFacts& reference) {
  const FoldedFacts* found = nullptr;
  for (const FoldedFacts& folded : reference.folded) {
    if (spread_of(folded) > kWideSpread && (found == nullptr || spread_of(folded) > spread_of(*found))) found = &folded;
  }
  return found;
}

void add_layers(Finding& finding, const ReferenceFacts& reference) {
  if (const FoldedFacts* first = first_wrong(reference)) {
    finding.layer = first->name;
    finding.evidence += fmt::format(
        " The first folded layer that is wrong is {}: its outputs by {:.2g} of their "
        "deviation.",
        first->name, *first->error);
  }
  if (const FoldedFacts* wide = widest(reference)) {
    finding.evidence += fmt::format(
        " Folded, the largest weight of a channel of {} is {:.3g} times that of the median channel, so one scale for "
        "all leaves most of them about {:.0f} of 256 steps.",
        wide->name, spread_of(*wide), std::max(1.0, 256 / spread_of(*wide)));
  }
}

}  // namespace

Answer fold_damage(const Facts& facts) {
  if (!facts.reference) return Answer::not_checked_because(facts.why_no("reference"));
  const ReferenceFacts& reference = *facts.reference;
  std::optional<Damage> damage;
  if (facts.losses) damage = damage_between(reference.own, reference.reference, *facts.losses);
  const bool is_close = reference.output_error <= kLargeOutputError;  // not NaN
  if (is_close && !(damage && damage->matters())) return Answer::none();

  Finding finding;
  judge_by(finding, damage);
  finding.evidence =
      fmt::format("Outputs are up to {:.2g} deviations from the reference's in double.", reference.output_error);
  if (reference.error_in_double) {
    finding.evidence += fmt::format(" With this model in double too it is {:.2g}, which its parameters alone make.",
                                    *reference.error_in_double);
  }
  if (damage) {
    finding.evidence +=
        fmt::format(" The loss of the first {} batches is {:.4g}, the reference's {:.4g}.", reference.own.size(),
                    mean_loss(reference.own, {}), mean_loss(reference.reference, {}));
  }
  add_layers(finding, reference);
  finding.remedy =
      "Fold again from the reference with the doctor's fold(), which measures and undoes itself; quantize weights with "
      "a scale for each channel.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
