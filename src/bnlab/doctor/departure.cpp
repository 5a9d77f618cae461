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
  if (!layer.running_mean || !layer.running_var || !layer.inputs || !layer.eps || layer.channels == 0) return {};
  const InputFacts& inputs = *layer.inputs;
  const double distance =
      distance_between(*layer.running_mean, *layer.running_var, inputs.mean, inputs.var_biased, *layer.eps);
  return Departure{distance, std::isfinite(distance) ? chance_of(layer) : 0};
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
