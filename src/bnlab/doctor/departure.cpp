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

/// Of the running statistics from these.
std::optional<Departure> departure_from(const LayerFacts& layer, const Numbers& mean, const Numbers& var_biased) {
  if (!layer.running_mean || !layer.running_var || !layer.eps) return {};
  const double distance = distance_between(*layer.running_mean, *layer.running_var, mean, var_biased, *layer.eps);
  return Departure{distance, std::isfinite(distance) ? chance_of(layer) : 0};
}

}  // namespace

bool Departure::is_real() const {
  return !(distance <= kSmallDeparture + kNoiseFactor * noise);
}

double distance_between(const Numbers& mean, const Numbers& var, const Numbers& of_mean, const Numbers& of_var,
                        double eps) {
  double squares = 0;
  for (std::size_t c = 0; c < mean.size(); ++c) {
    const double own = var[c] + eps, other = of_var[c] + eps;
    const double shift = mean[c] - of_mean[c];
    if (!(other > 0) && shift == 0 && own == other) continue;  // a constant that the statistics know
    const double stretch = std::log(own / other) / 2;
    squares += shift * shift / other + stretch * stretch;
  }
  if (!std::isfinite(squares)) return std::numeric_limits<double>::infinity();
  return mean.empty() ? 0 : std::sqrt(squares / static_cast<double>(mean.size()));
}

double chance_of(const LayerFacts& layer) {
  if (!layer.inputs || !layer.eps || layer.channels == 0) return 0;
  double noise = 0;
  for (std::size_t c = 0; c < layer.inputs->between.size(); ++c) {
    const double var = layer.inputs->var_biased[c] + *layer.eps;
    if (var > 0) noise += layer.inputs->between[c] / var;
  }
  return std::sqrt(2 * noise_share(layer) * noise / static_cast<double>(layer.channels));
}

std::optional<Departure> departure_of(const LayerFacts& layer) {
  if (!layer.inputs || layer.channels == 0) return {};
  return departure_from(layer, layer.inputs->mean, layer.inputs->var_biased);
}

std::optional<Departure> own_departure_of(const LayerFacts& layer) {
  if (!layer.inputs || !layer.exact_mean || !layer.exact_var_biased) return departure_of(layer);
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
