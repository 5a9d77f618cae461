// How far running statistics are from the moments of the inputs that they stand for.
#pragma once

#include <optional>

#include "bnlab/doctor/facts.h"

namespace bnlab::doctor {

/// In deviations: sqrt of the mean over channels of ((running_mean - mean)/sd)^2 + (log(running_sd/sd))^2, with
/// sd^2 = variance + eps. Infinite if a statistic is not finite, or a running variance is negative beyond eps.
struct Departure {
  double distance = 0;
  double noise = 0;  ///< what an exponential average of this loader's batches has by chance

  /// Beyond chance, and beyond what matters: 0.05 deviations.
  [[nodiscard]] bool is_real() const;
};

/// The distance of Departure between statistics and others `of_...`, in deviations of these. All of one length.
[[nodiscard]] double distance_between(const Numbers& mean, const Numbers& var, const Numbers& of_mean,
                                      const Numbers& of_var, double eps);

/// The noise of Departure; 0 if the layer's inputs were not seen.
[[nodiscard]] double chance_of(const LayerFacts& layer);

/// None if the layer has no running statistics, or its inputs were not seen.
[[nodiscard]] std::optional<Departure> departure_of(const LayerFacts& layer);

/// From the exact statistics, where they were taken: what layers before it do wrong does not count. Else
/// departure_of().
[[nodiscard]] std::optional<Departure> own_departure_of(const LayerFacts& layer);

/// Where the trouble begins: the first layer whose own departure is real and, by exact statistics, at least half of the
/// largest, so that a layer that lags a little is not named for one behind it that is far off. Where none is real, the
/// layer that departs most; nullptr if nothing was seen.
[[nodiscard]] const LayerFacts* first_departing(const Facts& facts);

}  // namespace bnlab::doctor
