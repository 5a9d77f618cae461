// N16: statistics that float16 cannot hold; its largest number is 65504 (IEEE 754 binary16).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

double largest_finite(const std::optional<Numbers>& values) {
  double largest = 0;
  for (const double value : values.value_or(Numbers{})) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  return largest;
}

double largest_statistic(const LayerFacts& layer) {
  double largest = std::max(largest_finite(layer.running_mean), largest_finite(layer.running_var));
  if (layer.inputs) {
    largest = std::max({largest, largest_finite(layer.inputs->mean), largest_finite(layer.inputs->var_biased)});
  }
  return largest;
}

}  // namespace

Answer beyond_half_precision(const Facts& facts) {
  constexpr double kLargestHalf = 65504;
  std::vector<const LayerFacts*> layers;
  double largest = 0;
  bool is_half = false;
  for (const LayerFacts& layer : facts.layers) {
    const double statistic = largest_statistic(layer);
    if (!(statistic > kLargestHalf)) continue;
    layers.push_back(&layer);
    largest = std::max(largest, statistic);
    is_half |= layer.dtype == "float16";
  }
  if (layers.empty()) return Answer::none();

  Finding finding = finding_at(layers);
  if (is_half) finding.severity = Severity::kWarning;
  finding.evidence =
      fmt::format("Statistics reach {:.3g}; float16 ends at 65504, beyond which they become infinite.", largest);
  finding.remedy = "Keep these layers in float32 if the model is turned into float16.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
