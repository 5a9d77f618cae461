#include "bnlab/numerics/fuss_catalan.h"

#include <c10/util/Exception.h>

#include <cmath>
#include <functional>
#include <numbers>

namespace bnlab {
namespace {

constexpr double kPi = std::numbers::pi;

/// ln x at the angle; falls from ln((s + 1)^(s+1) / s^s) at 0 to -∞ at π/(s + 1).
double log_x(double s, double phi) {
  return (s + 1) * std::log(std::sin((s + 1) * phi)) - std::log(std::sin(phi)) - s * std::log(std::sin(s * phi));
}

/// P(X > x) at the angle; rises from 0 to 1.
double above(double s, double phi) {
  return ((s + 1) * phi - s * std::sin(phi) * std::sin((s + 1) * phi) / std::sin(s * phi)) / kPi;
}

/// The angle up to which `holds` does, which does so up to some angle and not beyond.
double last_angle(double s, const std::function<bool(double phi)>& holds) {
  constexpr int kHalvings = 200;
  double low = 0, high = kPi / (s + 1);
  for (int i = 0; i < kHalvings && low < high; ++i) {
    const double middle = (low + high) / 2;
    if (middle == low || middle == high) break;
    (holds(middle) ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

double fuss_catalan_cdf(int64_t s, double x) {
  TORCH_CHECK(s >= 1 && x >= 0, "fuss_catalan_cdf: expected s >= 1 and x >= 0, got ", s, " and ", x);
  const auto order = static_cast<double>(s);
  if (x == 0) return 0;
  if (std::log(x) >= (order + 1) * std::log(order + 1) - order * std::log(order)) return 1;
  return 1 - above(order, last_angle(order, [&](double phi) { return log_x(order, phi) > std::log(x); }));
}

double fuss_catalan_quantile(int64_t s, double p) {
  TORCH_CHECK(s >= 1 && p > 0 && p < 1, "fuss_catalan_quantile: expected s >= 1 and 0 < p < 1, got ", s, " and ", p);
  const auto order = static_cast<double>(s);
  return std::exp(log_x(order, last_angle(order, [&](double phi) { return above(order, phi) < 1 - p; })));
}

double lyapunov_spread(int64_t n) {
  TORCH_CHECK(n >= 2 && n % 2 == 0, "lyapunov_spread: expected an even number above 0, got ", n);
  double twice = 2 * std::numbers::ln2;  // ψ(m) - ψ(1/2) = 1 + 1/2 + … + 1/(m - 1) + 2 ln 2
  for (int64_t k = 1; k < n / 2; ++k) twice += 1 / static_cast<double>(k);
  return twice / 2;
}

}  // namespace bnlab
