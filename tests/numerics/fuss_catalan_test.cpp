#include "bnlab/numerics/fuss_catalan.h"

#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace bnlab {
namespace {

/// C(sk + k, k) / (sk + 1)
double fuss_catalan_number(int64_t s, int64_t k) {
  double value = 1 / static_cast<double>(s * k + 1);
  for (int64_t i = 1; i <= k; ++i) value *= static_cast<double>(s * k + i) / static_cast<double>(i);
  return value;
}

TEST(FussCatalan, ItsMomentsAreTheNumbers) {
  constexpr int kParts = 20000;
  for (const int64_t s : {1, 2, 3, 5}) {
    for (const int64_t k : {1, 2, 3}) {
      double moment = 0;
      for (int i = 0; i < kParts; ++i) {
        moment += std::pow(fuss_catalan_quantile(s, (i + 0.5) / kParts), static_cast<double>(k)) / kParts;
      }
      EXPECT_NEAR(moment / fuss_catalan_number(s, k), 1, 2e-3) << s << " " << k;
    }
  }
}

// The singular values of one matrix: a quarter of a circle of radius 2.
TEST(FussCatalan, OfOneMatrixIsTheQuarterCircle) {
  for (const double y : {1e-6, 0.1, 0.5, 1.0, 1.7, 1.999}) {
    const double area = (y / 2 * std::sqrt(4 - y * y) + 2 * std::asin(y / 2)) / std::numbers::pi;
    EXPECT_NEAR(fuss_catalan_cdf(1, y * y), area, 1e-12) << y;
  }
}

TEST(FussCatalan, QuantilesInvertTheDistribution) {
  for (const int64_t s : {1, 2, 10, 100}) {
    for (const double p : {1e-3, 0.1, 0.5, 0.9, 0.999}) {
      EXPECT_NEAR(fuss_catalan_cdf(s, fuss_catalan_quantile(s, p)), p, 1e-10) << s;
    }
    const auto n = static_cast<double>(s);
    const double end = std::pow(n + 1, n + 1) / std::pow(n, n);
    EXPECT_EQ(fuss_catalan_cdf(s, end * 1.001), 1) << s;
    EXPECT_LT(fuss_catalan_cdf(s, end * 0.999), 1) << s;
    EXPECT_EQ(fuss_catalan_cdf(s, 0), 0) << s;
  }
}

// ψ(1) - ψ(1/2) = 2 ln 2, ψ(x + 1) = ψ(x) + 1/x.
TEST(LyapunovSpread, IsHalfADifferenceOfDigammas) {
  EXPECT_NEAR(lyapunov_spread(2), std::numbers::ln2, 1e-15);
  EXPECT_NEAR(lyapunov_spread(8), std::numbers::ln2 + (1 + 1.0 / 2 + 1.0 / 3) / 2, 1e-15);
  EXPECT_THROW(lyapunov_spread(3), c10::Error);
}

}  // namespace
}  // namespace bnlab
