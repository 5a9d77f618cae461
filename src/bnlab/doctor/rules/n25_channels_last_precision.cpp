// N25: inputs so far from 0 that the float32 sums of PyTorch's channels-last kernel lose the deviation in the mean.
#include <fmt/format.h>

#include <algorithm>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

constexpr double kLargeError = 0.01;  // of outputs, in their deviation

bool is_wrong(const PrecisionFacts& precision) {
  return !(precision.error_channels_last <= kLargeError);  // NaN too
}

std::string losses_by_format(const FormatFacts& formats) {
  return fmt::format(
      " By their own statistics, the loss of the first {} batches is {:.4g} in channels-last and {:.4g} "
      "in contiguous order.",
      formats.contiguous.size(), mean_loss(formats.channels_last, {}), mean_loss(formats.contiguous, {}));
}

}  // namespace

Answer channels_last_precision(const Facts& facts) {
  if (facts.batches == 0) return Answer::not_checked_because(facts.why_no("moments"));
  const std::string why = facts.why_no("precision");
  std::vector<const LayerFacts*> layers;
  bool is_used = false;
  for (const LayerFacts& layer : facts.layers) {
    if (!layer.precision || !is_wrong(*layer.precision)) continue;
    layers.push_back(&layer);
    is_used |= layer.precision->channels_last;
  }
  if (layers.empty()) {
    const bool failed = std::any_of(facts.not_collected.begin(), facts.not_collected.end(),
                                    [](const NotCollected& missing) { return missing.what == "precision"; });
    return failed ? Answer::not_checked_because(why) : Answer::none();
  }

  const PrecisionFacts& first = *layers.front()->precision;
  Finding finding = finding_at(layers);
  if (is_used && facts.formats && facts.losses) {
    judge_by(finding, damage_between(facts.formats->channels_last, facts.formats->contiguous, *facts.losses));
  }
  finding.evidence = fmt::format(
      "Inputs of {} have |mean|/deviation up to {:.2g}. Normalized by the batch, its outputs are wrong by {:.2g} of "
      "their deviation in channels-last and by {:.2g} in contiguous order; inputs came in {}.",
      finding.layer, first.ratio, first.error_channels_last, first.error_contiguous,
      first.channels_last ? "channels-last" : "contiguous order");
  if (facts.formats) finding.evidence += losses_by_format(*facts.formats);
  finding.remedy =
      "bnlab.convert(model) computes moments exactly in either format; or take a constant off the inputs (center the "
      "data), or make them contiguous.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
