// N03: an average that still holds its initial values, (1-m)^t of them, or the batches of long ago.
#include <fmt/format.h>

#include <cmath>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/departure.h"
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

constexpr double kShareExplained = 0.5;

/// The weight of the initial values in the average; 0 where all batches count alike.
double residue_of(const LayerFacts& layer) {
  if (!layer.momentum) return 0;
  return std::pow(1 - *layer.momentum, static_cast<double>(*layer.num_batches_tracked));
}

/// How far the initial values that are left in it would put an average off that has seen nothing but these inputs. A
/// small rest of the initial variance 1 drowns a variance that is smaller still.
double departure_by_residue(const LayerFacts& layer) {
  LayerFacts expected = layer;
  const double residue = residue_of(layer);
  for (std::size_t c = 0; c < layer.running_mean->size(); ++c) {
    const double mean = layer.exact_mean ? (*layer.exact_mean)[c] : layer.inputs->mean[c];
    const double var = layer.exact_var_biased ? (*layer.exact_var_biased)[c] : layer.inputs->var_biased[c];
    (*expected.running_mean)[c] = (1 - residue) * mean;
    (*expected.running_var)[c] = (1 - residue) * var + residue;
  }
  return own_departure_of(expected)->distance;
}

bool lags(const LayerFacts& layer) {
  if (!has_statistics(layer) || is_at_start(layer) || layer.num_batches_tracked.value_or(0) <= 0) return false;
  const auto departure = own_departure_of(layer);
  if (!departure || !departure->is_real() || std::isinf(departure->distance)) return false;
  return !layer.momentum || departure_by_residue(layer) >= kShareExplained * departure->distance;
}

}  // namespace

Answer average_lags(const Facts& facts) {
  if (facts.batches == 0) return Answer::not_checked_because(facts.why_no("moments"));
  std::vector<const LayerFacts*> layers;
  for (const LayerFacts& layer : facts.layers) {
    if (lags(layer)) layers.push_back(&layer);
  }
  if (layers.empty()) return Answer::none();

  const LayerFacts& first = *layers.front();
  Finding finding = finding_at(layers);
  judge_by(finding, damage_of_running(facts));
  finding.evidence =
      first.momentum
          ? fmt::format("After {} batches with momentum {:g}, (1-m)^t = {:.2g} of {} is still the initial 0 and 1",
                        *first.num_batches_tracked, *first.momentum, residue_of(first), first.name)
          : fmt::format("With momentum None, {} is the mean over all {} batches since training began", first.name,
                        *first.num_batches_tracked);
  finding.evidence +=
      fmt::format("; it departs from its inputs by {:.2g} standard deviations.", own_departure_of(first)->distance);
  if (facts.losses) finding.evidence += " On the same batches, " + losses_in_words(facts) + ".";
  finding.remedy = std::string("Take the statistics again from training data; train on ") +
                   (first.momentum.value_or(0) < 0.1 ? "with a larger momentum, such as 0.1." : "for longer.");
  finding.repair = "recalibrate";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
