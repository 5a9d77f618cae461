#include "bnlab/record/statistics.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>
#include <numeric>

namespace bnlab {
namespace {

// P(T_{n-1} > (mean - bound) / se): small when the mean lies far above the bound.
double upper_tail(double mean_minus_bound, const PairedInterval& interval) {
  if (interval.n < 2 || !std::isfinite(mean_minus_bound)) return 1;
  if (interval.standard_error == 0) return mean_minus_bound > 0 ? 0 : 1;
  const boost::math::students_t distribution(interval.n - 1);
  return boost::math::cdf(boost::math::complement(distribution, mean_minus_bound / interval.standard_error));
}

double twice(double p) {
  return std::min(1.0, 2 * p);
}

}  // namespace

PairedInterval paired_interval(std::span<const double> differences, double level) {
  const auto n = differences.size();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  if (n == 0) return {kNaN, -kInfinity, kInfinity, kInfinity, 0};
  const double mean = std::accumulate(differences.begin(), differences.end(), 0.0) / static_cast<double>(n);
  if (!std::isfinite(mean)) return {kNaN, kNaN, kNaN, kNaN, static_cast<int>(n)};
  if (n == 1) return {mean, -kInfinity, kInfinity, kInfinity, 1};
  double squares = 0;
  for (double d : differences) squares += (d - mean) * (d - mean);
  const double standard_error = std::sqrt(squares / static_cast<double>(n - 1) / static_cast<double>(n));
  const boost::math::students_t distribution(static_cast<double>(n - 1));
  const double half = boost::math::quantile(distribution, (1 + level) / 2) * standard_error;
  return {mean, mean - half, mean + half, standard_error, static_cast<int>(n)};
}

double p_value_above(const PairedInterval& interval, double bound) {
  return upper_tail(interval.mean - bound, interval);
}
double p_value_below(const PairedInterval& interval, double bound) {
  return upper_tail(bound - interval.mean, interval);
}

std::vector<double> holm_adjusted(std::span<const double> p_values) {
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double largest = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const double factor = static_cast<double>(order.size() - rank);
    largest = std::max(largest, std::min(1.0, factor * p_values[order[rank]]));
    adjusted[order[rank]] = largest;
  }
  return adjusted;
}

SideTest test_side(const PairedInterval& interval, const Side& side) {
  switch (side.kind) {
    case Side::Kind::kAbove:
      return {twice(p_value_above(interval, side.low)), twice(p_value_below(interval, side.low))};
    case Side::Kind::kBelow:
      return {twice(p_value_below(interval, side.high)), twice(p_value_above(interval, side.high))};
    case Side::Kind::kWithin:
      return {twice(std::max(p_value_above(interval, side.low), p_value_below(interval, side.high))),
              twice(std::min(p_value_below(interval, side.low), p_value_above(interval, side.high)))};
  }
  return {};
}

}  // namespace bnlab
