// Count, mean and sum of squared deviations per channel, and their merging.
//
// Never E[x^2] - E[x]^2: blocks of at most a few thousand elements are summed around a shift that lies among their own
// values, and blocks are merged in double by the formula of Chan, Golub & LeVeque, "Updating formulae and a pairwise
// algorithm for computing sample variances" (1979). The shift is the mean of a fixed share of its block, which bounds
// the cancellation by the block's length over that share, whatever the data.
#pragma once

#include <cstdint>

#include "bnlab/kernels/shape.h"
#include "bnlab/kernels/status.h"
#include "bnlab/kernels/task_runner.h"

namespace bnlab::kernels {

/// Mean and m2 = sum of (x - mean)^2 over `count` elements. {} is the neutral element of merge().
struct Moments {
  std::int64_t count = 0;
  double mean = 0;
  double m2 = 0;
};

/// The moments of both sets together. Exact for a constant: equal means and m2 = 0 give the same mean and m2 = 0.
[[nodiscard]] inline Moments merge(const Moments& a, const Moments& b) noexcept {
  const std::int64_t count = a.count + b.count;
  if (count == 0) return {};
  const double weight = static_cast<double>(b.count) / static_cast<double>(count);
  const double delta = b.mean - a.mean;
  return {count, a.mean + delta * weight, a.m2 + b.m2 + delta * delta * (static_cast<double>(a.count) * weight)};
}

/// The moments of n > 0 sets of `count` elements each. Exact for a constant.
[[nodiscard]] inline Moments merge_equal(std::int64_t count, std::int64_t n, const double* mean,
                                         const double* m2) noexcept {
  double sum = 0, squares = 0, within = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double distance = mean[i] - mean[0];
    sum += distance;
    squares += distance * distance;
    within += m2[i];
  }
  const double shift = sum / static_cast<double>(n);
  const double between = squares - sum * shift;
  return {count * n, mean[0] + shift, within + static_cast<double>(count) * (between < 0 ? 0 : between)};
}

/// moments[c] = the moments of channel c, for E = float, double, BFloat16 or Float16.
/// x: shape's elements; moments: (C). An empty batch gives {0, 0, 0}; a constant channel an exact mean and m2 = 0.
/// A NaN makes mean and m2 of its channel NaN, an infinity m2 NaN and the mean NaN or infinite; other channels are left
/// alone. In float the sum of some thousand squared deviations must be representable: |x - mean| < 1e17.
/// Bitwise the same for any number of threads. Errors: kBadShape, kOutOfMemory, kBadInstructionSet.
template <class E>
[[nodiscard]] Status channel_moments(const Shape& shape, const E* x, Moments* moments, TaskRunner& runner) noexcept;

}  // namespace bnlab::kernels
