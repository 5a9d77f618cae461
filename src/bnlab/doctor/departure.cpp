#include "bnlab/doctor/departure.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bnlab::doctor {
namespace {

constexpr double kSmallDeparture = 0.05, kNoiseFactor = 3;
constexpr double kShareOfMost = 0.5;  // damage grows with the square of the distance: a quarter of the most

/// The weight of one batch's own noise in the running average: the sum of its squared weights.
double noise_share(const LayerFacts& layer) {
  if (layer.momentum) return *layer.momentum / (2 - *layer.momentum);
  const double batches = static_cast<double>(layer.num_batches_tracked.value_or(1));
  return 1 / std::max(batches, 1.0);
}

bool can_depart(const LayerFacts& layer) {
  return layer.running_mean && layer.running_var && layer.inputs && layer.channels > 0;
}

/// Of the running statistics from these; can_depart(layer).
Departure departure_from(const LayerFacts& layer, const Numbers& mean, const Numbers& var_biased) {
  double squares = 0, noise = 0;
  const auto channels = static_cast<std::size_t>(layer.channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const double var = var_biased[c] + layer.eps, running_var = (*layer.running_var)[c] + layer.eps;
    const double shift = (*layer.running_mean)[c] - mean[c];
    if (!(var > 0) && shift == 0 && running_var == var) continue;  // a constant that the statistics know
    const double stretch = std::log(running_var / var) / 2;
    squares += shift * shift / var + stretch * stretch;
    noise += layer.inputs->between[c] / var;
  }
  if (!std::isfinite(squares)) return Departure{std::numeric_limits<double>::infinity(), 0};
  const auto n = static_cast<double>(channels);
  return Departure{std::sqrt(squares / n), std::sqrt(2 * noise_share(layer) * noise / n)};
}

}  // namespace

bool Departure::is_real() const {
  return !(distance <= kSmallDeparture + kNoiseFactor * noise);
}

std::optional<Departure> departure_of(const LayerFacts& layer) {
  if (!can_depart(layer)) return {};
  return departure_from(layer, layer.inputs->mean, layer.inputs->var_biased);
}

std::optional<Departure> own_departure_of(const LayerFacts& layer) {
  if (!can_depart(layer) || !layer.exact_mean || !layer.exact_var_biased) return departure_of(layer);
  return departure_from(layer, *layer.exact_mean, *layer.exact_var_biased);
}

const LayerFacts* first_departing(const Facts& facts) {
  double most = 0, most_by_exact = 0;
  for (const LayerFacts& layer : facts.layers) {
    const auto departure = own_departure_of(layer);
    if (!departure) continue;
    most = std::max(most, departure->distance);
    if (layer.exact_mean) most_by_exact = std::max(most_by_exact, departure->distance);
  }
  const LayerFacts* farthest = nullptr;
  for (const LayerFacts& layer : facts.layers) {
    const auto departure = own_departure_of(layer);
    if (!departure) continue;
    if (departure->is_real() && departure->distance >= kShareOfMost * most_by_exact) return &layer;
    if (farthest == nullptr && departure->distance >= most) farthest = &layer;
  }
  return farthest;
}

}  // namespace bnlab::doctor
