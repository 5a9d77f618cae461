#include "bnlab/numerics/spectral_density.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "tests/numerics/matrices.h"

namespace bnlab {
namespace {

using testing::diagonal_operator;
using testing::matrix_of;
using testing::operator_of;
using testing::spoiled_operator;

std::vector<double> evenly(double from, double to, int count) {
  std::vector<double> grid;
  for (int i = 0; i < count; ++i) grid.push_back(from + (to - from) * i / (count - 1));
  return grid;
}

/// A bulk of 380 around 0 and 20 outliers at 6.
std::vector<double> spectrum() {
  std::vector<double> values(400, 6.0);
  for (int i = 0; i < 380; ++i) values[i] = std::sin(i * 0.37);
  return values;
}

double exact_moment(const std::vector<double>& values, int power) {
  double sum = 0;
  for (const double value : values) sum += std::pow(value, power);
  return sum / static_cast<double>(values.size());
}

TEST(SpectralDensity, NodesAndWeightsAreThoseOfTheStartVector) {
  // vᵀ Aᵖ v to the power 2m - 1, with v as the code draws it.
  const at::Tensor a = matrix_of(spectrum());
  const SpectralDensity density = spectral_density(operator_of(a), {.probes = 1, .steps = 4, .seed = 5});
  ASSERT_EQ(density.probes.size(), 1);
  Random random(mix(5, "density", 0));
  at::Tensor v = normal_vector(400, random), power = v / v.norm();
  v = power;
  for (int p = 0; p <= 7; ++p) {
    EXPECT_NEAR(spectral_moment(density, p).value, v.dot(power).item<double>(), 1e-10 * std::pow(6, p)) << p;
    power = a.mv(power);
  }
  EXPECT_EQ(density.products, 4);
  EXPECT_FALSE(density.probes[0].exact);
  EXPECT_TRUE(std::isnan(spectral_moment(density, 1).standard_error));
}

TEST(SpectralDensity, MomentsWithinTheirErrors) {
  const auto values = spectrum();
  const SpectralDensity density = spectral_density(operator_of(matrix_of(values)), {.probes = 30, .steps = 20});
  for (int power = 1; power <= 4; ++power) {
    const ProbeMean moment = spectral_moment(density, power);
    EXPECT_GT(moment.standard_error, 0);
    EXPECT_NEAR(moment.value, exact_moment(values, power), 4 * moment.standard_error) << power;
  }
  EXPECT_NEAR(spectral_moment(density, 0).value, 1, 1e-12);
}

TEST(SpectralDensity, ResidualsBoundTheDistanceToAnEigenvalue) {
  const auto values = spectrum();
  const SpectralDensity density = spectral_density(operator_of(matrix_of(values)), {.probes = 2, .steps = 15});
  for (const Quadrature& probe : density.probes) {
    ASSERT_EQ(probe.nodes.size(), 15);
    EXPECT_NEAR(std::accumulate(probe.weights.begin(), probe.weights.end(), 0.0), 1, 1e-12);
    for (size_t i = 0; i < probe.nodes.size(); ++i) {
      double nearest = INFINITY;
      for (const double value : values) nearest = std::min(nearest, std::abs(value - probe.nodes[i]));
      EXPECT_LE(nearest, probe.residuals[i] + 1e-10);
    }
  }
}

TEST(SpectralDensity, AnInvariantSubspaceIsExact) {
  // Four different eigenvalues, however often they repeat: four steps find all, and the weights of repeated ones join.
  std::vector<double> values(100, 1.0);
  for (int i = 0; i < 40; ++i) values[i] = i < 10 ? -2 : i < 20 ? 0 : 5;
  const SpectralDensity density = spectral_density(diagonal_operator(values), {.probes = 3, .steps = 30});
  EXPECT_EQ(density.products, 12);
  EXPECT_NEAR(density.residual, 0, 1e-12);
  for (const Quadrature& probe : density.probes) {
    EXPECT_TRUE(probe.exact);
    ASSERT_EQ(probe.nodes.size(), 4);
    const std::vector<double> expected = {-2, 0, 1, 5};
    for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(probe.nodes[i], expected[i], 1e-12);
  }
  EXPECT_TRUE(density_curve(density, {0}, 1e-6).converged);
  const SpectralDensity all = spectral_density(operator_of(matrix_of({3, 2, 1})), {.probes = 1, .steps = 9});
  EXPECT_TRUE(all.probes[0].exact);
  EXPECT_EQ(all.products, 3);
  EXPECT_TRUE(spectral_density(diagonal_operator({0, 0, 0}), {.probes = 1}).probes[0].exact);
}

TEST(DensityCurve, IsTheSumOfGaussians) {
  const auto values = spectrum();
  constexpr double kWidth = 0.3;
  const auto grid = evenly(-3, 9, 241);
  const SpectralDensity density = spectral_density(operator_of(matrix_of(values)), {.probes = 30, .steps = 40});
  const DensityCurve curve = density_curve(density, grid, kWidth);
  ASSERT_TRUE(curve.converged);
  double integral = 0;
  for (size_t i = 0; i < grid.size(); ++i) {
    double exact = 0;
    for (const double value : values) {
      exact +=
          std::exp(-std::pow((grid[i] - value) / kWidth, 2) / 2) / (kWidth * std::sqrt(2 * std::numbers::pi)) / 400;
    }
    EXPECT_NEAR(curve.values[i].value, exact, 5 * curve.values[i].standard_error + 1e-6) << grid[i];
    integral += curve.values[i].value * (grid[1] - grid[0]);
  }
  EXPECT_NEAR(integral, 1, 1e-6);
}

TEST(DensityCurve, TooFineAWidthForTheStepsIsSaid) {
  const SpectralDensity density = spectral_density(operator_of(matrix_of(spectrum())), {.probes = 3, .steps = 8});
  EXPECT_GT(density.residual, 0);
  EXPECT_FALSE(density_curve(density, {0}, density.residual / 2).converged);
  EXPECT_TRUE(density_curve(density, {0}, density.residual * 2).converged);
  EXPECT_THROW(density_curve(density, {0}, 0), c10::Error);
}

TEST(SpectralDensity, TheSeedFixesTheBits) {
  const auto a = operator_of(matrix_of(spectrum()));
  const auto node = [&](uint64_t seed) {
    return spectral_density(a, {.probes = 1, .steps = 5, .seed = seed}).probes[0].nodes[2];
  };
  EXPECT_EQ(node(1), node(1));
  EXPECT_NE(node(1), node(2));
}

TEST(SpectralDensity, ANanIsSaid) {
  const SpectralDensity density = spectral_density(spoiled_operator(50, 12), {.probes = 3, .steps = 10});
  EXPECT_FALSE(density.finite);
  EXPECT_TRUE(density.probes.empty());
  EXPECT_TRUE(std::isnan(density.residual));
  EXPECT_EQ(density.products, 13);
  const DensityCurve curve = density_curve(density, {0}, 1);
  EXPECT_FALSE(curve.converged);
  EXPECT_TRUE(std::isnan(curve.values[0].value));
  EXPECT_TRUE(std::isnan(spectral_moment(density, 1).value));
  EXPECT_THROW(spectral_density(spoiled_operator(5, 5), {.probes = 0}), c10::Error);
}

}  // namespace
}  // namespace bnlab
