#include "bnlab/data/random.h"

#include <array>
#include <bit>
#include <cmath>

namespace bnlab {
namespace {

using Coefficients = std::array<double, 8>;  // highest power first

// Wichura 1988, tables for PPND16: numerator and denominator for the centre, the near and the far tail.
constexpr Coefficients kCentreNumerator = {2.5090809287301226727e+3, 3.3430575583588128105e+4, 6.7265770927008700853e+4,
                                           4.5921953931549871457e+4, 1.3731693765509461125e+4, 1.9715909503065514427e+3,
                                           1.3314166789178437745e+2, 3.3871328727963666080e+0};
constexpr Coefficients kCentreDenominator = {
    5.2264952788528545610e+3, 2.8729085735721942674e+4, 3.9307895800092710610e+4, 2.1213794301586595867e+4,
    5.3941960214247511077e+3, 6.8718700749205790830e+2, 4.2313330701600911252e+1, 1.0};
constexpr Coefficients kNearNumerator = {
    7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e+0,
    3.64784832476320460504e+0, 5.76949722146069140550e+0, 4.63033784615654529590e+0, 1.42343711074968357734e+0};
constexpr Coefficients kNearDenominator = {
    1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
    6.89767334985100004550e-1, 1.67638483018380384940e+0, 2.05319162663775882187e+0, 1.0};
constexpr Coefficients kFarNumerator = {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
                                        2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e+0,
                                        5.46378491116411436990e+0, 6.65790464350110377720e+0};
constexpr Coefficients kFarDenominator = {
    2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
    1.48753612908506148525e-2,  1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0};

double polynomial(const Coefficients& coefficients, double x) {
  double sum = coefficients[0];
  for (size_t i = 1; i < coefficients.size(); ++i) {
    sum = std::fma(sum, x, coefficients[i]);
  }
  return sum;
}

// log(p) for a normal number p > 0: p = m 2^e with m near 1, log m = 2 artanh((m-1)/(m+1)) by its series.
double portable_log(double p) {
  const auto word = std::bit_cast<uint64_t>(p);
  int exponent = static_cast<int>(word >> 52) - 1023;
  double m = std::bit_cast<double>((word & 0x000fffffffffffffu) | 0x3ff0000000000000u);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++exponent;
  }
  const double s = (m - 1.0) / (m + 1.0);
  const double s2 = s * s;
  double series = 0.0;
  for (int k = 23; k >= 1; k -= 2) {
    series = std::fma(series, s2, 1.0 / k);
  }
  return std::fma(2.0 * s, series, exponent * 0.69314718055994530942);
}

}  // namespace

double normal_from_bits(uint64_t bits) {
  const double p = (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52;
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    const double r = std::fma(-q, q, 0.180625);
    return q * (polynomial(kCentreNumerator, r) / polynomial(kCentreDenominator, r));
  }
  const double r = std::sqrt(-portable_log(q < 0 ? p : 1.0 - p));
  const double size = r <= 5.0 ? polynomial(kNearNumerator, r - 1.6) / polynomial(kNearDenominator, r - 1.6)
                               : polynomial(kFarNumerator, r - 5.0) / polynomial(kFarDenominator, r - 5.0);
  return q < 0 ? -size : size;
}

}  // namespace bnlab
