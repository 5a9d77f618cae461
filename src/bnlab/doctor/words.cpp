#include "bnlab/doctor/words.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "bnlab/doctor/damage.h"

namespace bnlab::doctor {
namespace {

bool all_are(const Numbers& values, double value) {
  return std::all_of(values.begin(), values.end(), [&](double each) { return each == value; });
}

bool is_constant(const std::optional<Numbers>& values) {
  return !values || values->empty() || all_are(*values, values->front());
}

}  // namespace

std::string counted(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

double median_of(std::vector<double> values) {
  values.erase(std::remove_if(values.begin(), values.end(), [](double value) { return std::isnan(value); }),
               values.end());
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Finding finding_at(const std::vector<const LayerFacts*>& layers) {
  Finding finding;
  finding.layer = layers.front()->name;
  for (std::size_t i = 1; i < layers.size(); ++i) finding.others.push_back(layers[i]->name);
  return finding;
}

bool has_statistics(const LayerFacts& layer) {
  return layer.running_mean && layer.running_var && layer.channels > 0;
}

bool is_at_start(const LayerFacts& layer) {
  return has_statistics(layer) && all_are(*layer.running_mean, 0) && all_are(*layer.running_var, 1);
}

bool is_untrained(const Facts& facts) {
  bool any_gamma = false, any_statistics = false;
  for (const LayerFacts& layer : facts.layers) {
    any_gamma |= layer.gamma.has_value();
    any_statistics |= has_statistics(layer);
    if (has_statistics(layer) && !is_at_start(layer)) return false;
    if (!is_constant(layer.gamma) || !is_constant(layer.beta)) return false;
  }
  if (any_gamma) return true;
  const auto damage = damage_of_running(facts);
  return any_statistics && !(damage && damage->matters());
}

bool was_trained_in_evaluation_mode(const Facts& facts) {
  if (!facts.losses) return false;
  for (const LayerFacts& layer : facts.layers) {
    if (has_statistics(layer) && !is_at_start(layer)) return false;
  }
  const LossFacts& losses = *facts.losses;
  const auto damage = damage_between(losses.exact.empty() ? losses.batch : losses.exact, losses.running, losses);
  return !is_untrained(facts) && damage && damage->matters();
}

}  // namespace bnlab::doctor
