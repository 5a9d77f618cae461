// Statistics over the rounds of a benchmark: medians, paired ratios with their intervals, geometric means.
#pragma once

#include <span>
#include <vector>

namespace bnlab::bench {

/// The middle value, or the mean of the two middle ones. NaN if `values` is empty or holds a NaN.
[[nodiscard]] double median(std::span<const double> values);

/// A median with an interval for it.
struct Interval {
  double median = 0;
  double low = 0;
  double high = 0;
  double coverage = 0;  ///< the probability that such an interval holds the true median

  [[nodiscard]] bool operator==(const Interval&) const = default;
};

/// The median and the narrowest pair of order statistics, as many from the lower end as from the upper, that holds the
/// true median with a probability of at least 95 %, whatever the distribution (the sign test's interval: with n values
/// the k-th from below and from above cover it with 1 - 2 P(Binomial(n, 1/2) < k)). With fewer than 6 values it is
/// their range, whose coverage is lower. `values` must not be empty; any NaN gives all NaN.
[[nodiscard]] Interval median_interval(std::span<const double> values);

/// The ratios peer[i] / ours[i] of the rounds, as median_interval(). Both must have the same size.
[[nodiscard]] Interval paired_ratio(std::span<const double> peer, std::span<const double> ours);

/// exp(mean(log(values))); NaN if `values` is empty.
[[nodiscard]] double geometric_mean(std::span<const double> values);

/// a[i] + b[i]. Both must have the same size.
[[nodiscard]] std::vector<double> sums(std::span<const double> a, std::span<const double> b);

}  // namespace bnlab::bench
