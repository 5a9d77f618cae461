#include "bnlab/doctor/departure.h"

#include <cmath>
#include <limits>

namespace bnlab::doctor {
namespace {

constexpr double kSmallDeparture = 0.05, kNoiseFactor = 3;

/// The weight of one batch's own noise in the running average: the sum of its squared weights.
double noise_share(const LayerFacts& layer) {
  if (layer.momentum) return *layer.momentum / (2 - *layer.momentum);
  const double batches = static_cast<double>(layer.num_batches_tracked.value_or(1));
  return 1 / std::max(batches, 1.0);
}

}  // namespace

bool Departure::is_real() const {
  return !(distance <= kSmallDeparture + kNoiseFactor * noise);
}

std::optional<Departure> departure_of(const LayerFacts& layer) {
  if (!layer.running_mean || !layer.running_var || !layer.inputs || !layer.eps || layer.channels == 0) return {};
  double squares = 0, noise = 0;
  const auto channels = static_cast<std::size_t>(layer.channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const double var = layer.inputs->var_biased[c] + *layer.eps, running_var = (*layer.running_var)[c] + *layer.eps;
    const double shift = (*layer.running_mean)[c] - layer.inputs->mean[c];
    if (!(var > 0) && shift == 0 && running_var == var) continue;  // a constant that the statistics know
    const double stretch = std::log(running_var / var) / 2;
    squares += shift * shift / var + stretch * stretch;
    noise += layer.inputs->between[c] / var;
  }
  if (!std::isfinite(squares)) return Departure{std::numeric_limits<double>::infinity(), 0};
  const auto n = static_cast<double>(channels);
  return Departure{std::sqrt(squares / n), std::sqrt(2 * noise_share(layer) * noise / n)};
}

const LayerFacts* first_departing(const Facts& facts) {
  const LayerFacts* most = nullptr;
  double distance = -1;
  for (const LayerFacts& layer : facts.layers) {
    const auto departure = departure_of(layer);
    if (!departure) continue;
    if (departure->is_real()) return &layer;
    if (departure->distance > distance) most = &layer, distance = departure->distance;
  }
  return most;
}

}  // namespace bnlab::doctor
