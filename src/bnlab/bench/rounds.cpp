#include "bnlab/bench/rounds.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace bnlab::bench {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kCoverage = 0.95;

bool has_nan(std::span<const double> values) {
  return std::any_of(values.begin(), values.end(), [](double value) { return std::isnan(value); });
}

double middle(const std::vector<double>& sorted) {
  const std::size_t n = sorted.size();
  return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

void check_same_size(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) throw std::invalid_argument("rounds that are paired must be equally many");
}

}  // namespace

double median(std::span<const double> values) {
  if (values.empty() || has_nan(values)) return kNaN;
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  return middle(sorted);
}

Interval median_interval(std::span<const double> values) {
  if (values.empty()) throw std::invalid_argument("no rounds");
  if (has_nan(values)) return {kNaN, kNaN, kNaN, kNaN};
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const std::size_t n = sorted.size();
  // Outside of the k-th smallest and largest lies the median with probability 2 P(Binomial(n, 1/2) <= k), k from 0.
  double point = std::pow(0.5, static_cast<double>(n)), below = point;
  std::size_t k = 0;
  double coverage = 1 - 2 * below;
  while (k + 1 < (n + 1) / 2) {
    point *= static_cast<double>(n - k) / static_cast<double>(k + 1);
    if (1 - 2 * (below + point) < kCoverage) break;
    below += point;
    coverage = 1 - 2 * below;
    ++k;
  }
  return {middle(sorted), sorted[k], sorted[n - 1 - k], coverage};
}

Interval paired_ratio(std::span<const double> peer, std::span<const double> ours) {
  check_same_size(peer, ours);
  std::vector<double> ratios(peer.size());
  std::transform(peer.begin(), peer.end(), ours.begin(), ratios.begin(), [](double a, double b) { return a / b; });
  return median_interval(ratios);
}

double geometric_mean(std::span<const double> values) {
  if (values.empty()) return kNaN;
  double sum = 0;
  for (const double value : values) sum += std::log(value);
  return std::exp(sum / static_cast<double>(values.size()));
}

std::vector<double> sums(std::span<const double> a, std::span<const double> b) {
  check_same_size(a, b);
  std::vector<double> both(a.size());
  std::transform(a.begin(), a.end(), b.begin(), both.begin(), [](double x, double y) { return x + y; });
  return both;
}

}  // namespace bnlab::bench
