#include "bnlab/numerics/trace.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/numerics/matrices.h"

namespace bnlab {
namespace {

using testing::diagonal_operator;
using testing::matrix_of;
using testing::operator_of;
using testing::spoiled_operator;

TEST(HutchinsonTrace, IsExactForADiagonal) {
  const TraceEstimate trace = hutchinson_trace(diagonal_operator({1, 2, -4, 8}), {.least_probes = 3});
  EXPECT_EQ(trace.value, 7);
  EXPECT_EQ(trace.standard_error, 0);
  EXPECT_TRUE(trace.converged);
  EXPECT_EQ(trace.products, 3);
}

TEST(HutchinsonTrace, ItsErrorIsWhatItSays) {
  std::vector<double> values;
  for (int i = 0; i < 100; ++i) values.push_back(i % 10 == 0 ? 20 : 1);
  const at::Tensor a = matrix_of(values);
  const double exact = 10 * 20 + 90;
  // Var zᵀAz = 2 Σ over i ≠ j of a_ij²
  const double variance = 2 * (a.square().sum() - a.diagonal().square().sum()).item<double>();
  double within = 0;
  constexpr int kTries = 60, kProbes = 40;
  for (uint64_t seed = 0; seed < kTries; ++seed) {
    const TraceEstimate trace = hutchinson_trace(
        operator_of(a), {.relative_error = 0, .least_probes = kProbes, .most_probes = kProbes, .seed = seed});
    EXPECT_FALSE(trace.converged);
    EXPECT_EQ(trace.products, kProbes);
    EXPECT_NEAR(trace.standard_error / std::sqrt(variance / kProbes), 1, 0.5);
    within += std::abs(trace.value - exact) <= 2 * trace.standard_error ? 1 : 0;
  }
  EXPECT_GE(within / kTries, 0.85);
}

TEST(HutchinsonTrace, EndsWhenItSufficesAndSaysWhenItDoesNot) {
  const auto a = operator_of(matrix_of({50, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}));
  const TraceEstimate enough = hutchinson_trace(a, {.relative_error = 0.05, .most_probes = 2000});
  EXPECT_TRUE(enough.converged);
  EXPECT_LE(enough.standard_error, 0.05 * enough.value);
  EXPECT_LT(enough.products, 2000);
  EXPECT_NEAR(enough.value, 69, 4 * enough.standard_error);
  const TraceEstimate few = hutchinson_trace(a, {.relative_error = 1e-6, .most_probes = 15});
  EXPECT_FALSE(few.converged);
  EXPECT_EQ(few.products, 15);
  EXPECT_GT(few.standard_error, 0);
}

TEST(HutchinsonTrace, TheSeedFixesTheBits) {
  const auto a = operator_of(matrix_of({5, 3, 1, 1, 1}));
  const auto value = [&](uint64_t seed) { return hutchinson_trace(a, {.seed = seed}).value; };
  EXPECT_EQ(value(1), value(1));
  EXPECT_NE(value(1), value(2));
}

TEST(HutchinsonTrace, ANanIsSaid) {
  const TraceEstimate trace = hutchinson_trace(spoiled_operator(9, 4), {});
  EXPECT_FALSE(trace.finite);
  EXPECT_FALSE(trace.converged);
  EXPECT_TRUE(std::isnan(trace.value));
  EXPECT_TRUE(std::isnan(trace.standard_error));
  EXPECT_EQ(trace.products, 5);
  EXPECT_THROW(hutchinson_trace(diagonal_operator({1}), {.least_probes = 1}), c10::Error);
}

}  // namespace
}  // namespace bnlab
