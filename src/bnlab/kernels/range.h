// The range of values that the kernels' arithmetic serves. Beyond it squares overflow or coefficients lose their digits
// below the smallest normal number, and results would be wrong without a NaN to show it.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "bnlab/kernels/element.h"
#include "bnlab/kernels/passes.h"
#include "bnlab/kernels/shape.h"

namespace bnlab::kernels {

/// rstd is served from 1/kMostRstd to kMostRstd: coefficients hold its square beside gradients that may be small.
template <class T>
inline constexpr double kMostRstd = std::is_same_v<T, double> ? 0x1p400 : 0x1p40;

/// Whether statistics can be computed with. NaN, infinities and rstd = 0 can: they show in the results.
template <class T>
[[nodiscard]] inline bool in_range(double mean, double rstd) noexcept {
  constexpr double kMost = kMostRstd<T>, kMostMean = std::numeric_limits<T>::max() / 1024;
  constexpr double kLargest = std::numeric_limits<double>::max();
  const double size = std::abs(mean), scale = std::abs(rstd);
  const bool mean_beyond = (size > kMostMean) & (size <= kLargest);
  const bool rstd_beyond = ((scale > kMost) & (scale <= kLargest)) | ((scale < 1 / kMost) & (scale > 0));
  return !(mean_beyond | rstd_beyond);  // without branches: a loop over channels becomes vector code
}

/// The same for all channels of a cut. mean, rstd: (C), of the whole batch. A slab's thread asks for its own channels,
/// which it has probably computed itself: the others' lie in another core's cache.
template <class T>
[[nodiscard]] bool all_in_range(const Cut& parts, const double* mean, const double* rstd) noexcept {
  const ChannelRange range(parts);
  bool all = true;
  for (std::int64_t c = range.first; c < range.last; ++c) all &= in_range<T>(mean[c], rstd[c]);
  return all;
}

/// Whether holds(value) for all of a channel's elements, as double.
template <class E, class F>
[[nodiscard]] bool all_of_channel(const Shape& shape, const E* x, std::int64_t channel, const F& holds) noexcept {
  const bool first = shape.layout == Layout::kChannelsFirst;
  for (std::int64_t n = 0; n < shape.n; ++n) {
    for (std::int64_t s = 0; s < shape.s; ++s) {
      const std::int64_t at = first ? (n * shape.c + channel) * shape.s + s : (n * shape.s + s) * shape.c + channel;
      if (!holds(static_cast<double>(x[at]))) return false;
    }
  }
  return true;
}

/// Whether the statistics of some neighbouring channels of a batch, as the kernels found them, are those of its
/// elements. Where they look odd the elements decide: a variance that is not finite is right if they are not, and a
/// tiny rstd^-1 if they are constant. mean, var_biased, rstd: the first channel's.
template <class E>
[[nodiscard]] bool statistics_in_range(const Shape& shape, const E* x, std::int64_t first_channel,
                                       std::int64_t channels, const double* mean, const double* var_biased,
                                       const double* rstd) noexcept {
  constexpr double kMost = kMostRstd<Compute<E>>, kLargest = std::numeric_limits<double>::max();
  bool usual = true;  // all of them, asked without branches: a loop over channels becomes vector code
  for (std::int64_t i = 0; i < channels; ++i) {
    usual &= (var_biased[i] <= kLargest) & (rstd[i] <= kMost) & (rstd[i] >= 1 / kMost);
  }
  for (std::int64_t i = 0; i < channels && !usual; ++i) {
    if (!std::isfinite(var_biased[i])) {
      if (all_of_channel(shape, x, first_channel + i, [](double value) { return std::isfinite(value); })) return false;
    } else if (var_biased[i] == 0 && rstd[i] > kMost) {
      const double any = mean[i];
      if (!all_of_channel(shape, x, first_channel + i, [any](double value) { return value == any; })) return false;
    } else if (!in_range<Compute<E>>(/*mean=*/0, rstd[i])) {  // elements lie near their own mean
      return false;
    }
  }
  return true;
}

}  // namespace bnlab::kernels
