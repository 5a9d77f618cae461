// Moments of errors against loops over pairs and against errors of a known mean and covariance; batches against what
// drawing means.
#include "bnlab/numerics/gradient_errors.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "bnlab/data/random.h"

namespace bnlab {
namespace {

/// M rows of independent normal numbers, the k-th of standard deviation k + 1, plus `mean`.
at::Tensor normal_errors(int64_t count, const std::vector<double>& mean, uint64_t key) {
  Random random(key);
  at::Tensor errors = at::empty({count, static_cast<int64_t>(mean.size())}, at::kDouble);
  for (int64_t i = 0; i < count; ++i) {
    for (size_t k = 0; k < mean.size(); ++k) {
      errors[i][static_cast<int64_t>(k)] = mean[k] + static_cast<double>(k + 1) * random.normal();
    }
  }
  return errors;
}

TEST(GradientErrors, MomentsAreMeansOverPairs) {
  const at::Tensor errors = normal_errors(7, {0.5, -1, 2}, 1), centered = errors - errors.mean(0);
  double squared = 0, bias2 = 0, covariance2 = 0;
  for (int64_t i = 0; i < 7; ++i) {
    squared += errors[i].dot(errors[i]).item<double>() / 7;
    for (int64_t j = 0; j < 7; ++j) {
      if (i == j) continue;
      bias2 += errors[i].dot(errors[j]).item<double>() / 42;
      covariance2 += std::pow(centered[i].dot(centered[j]).item<double>(), 2) / 42;
    }
  }
  const ErrorMoments moments = error_moments(errors);
  EXPECT_NEAR(moments.squared, squared, 1e-12);
  EXPECT_NEAR(moments.bias2, bias2, 1e-12);
  EXPECT_NEAR(moments.deviation, std::sqrt(2 * covariance2 / 42), 1e-6);
}

// Over many samples: the estimate's mean is the truth with and without a bias, its spread without one is the deviation.
TEST(GradientErrors, TheBiasIsEstimatedWithoutBiasAndItsSpreadIsKnown) {
  constexpr int kSamples = 2000;
  for (const double b : {0.0, 0.3}) {
    double sum = 0, squares = 0, deviation = 0;
    for (int i = 0; i < kSamples; ++i) {
      const ErrorMoments moments = error_moments(normal_errors(40, {b, 0, -b}, mix(3, "sample", i)));
      sum += moments.bias2 / kSamples;
      squares += moments.bias2 * moments.bias2 / kSamples;
      deviation += moments.deviation / kSamples;
    }
    const double spread = std::sqrt(squares - sum * sum);
    EXPECT_NEAR(sum, 2 * b * b, 4 * spread / std::sqrt(kSamples)) << b;
    if (b == 0) {
      EXPECT_NEAR(deviation / spread, 1, 0.1);
      EXPECT_NEAR(deviation, std::sqrt(2 * (1 + 16 + 81) / (40.0 * 39)), 0.02);
    }
  }
}

TEST(GradientErrors, RefusesOneErrorAndSingles) {
  EXPECT_THROW(error_moments(at::zeros({1, 3}, at::kDouble)), c10::Error);
  EXPECT_THROW(error_moments(at::zeros({2, 3}, at::kFloat)), c10::Error);
}

TEST(DrawnBatches, WithoutReplacementNoneTwiceWithItEveryBatchIsAsLikely) {
  for (const auto& batch : drawn_batches(10, 7, 50, false, 5)) {
    EXPECT_EQ(batch.size(), 7u);
    EXPECT_EQ(std::set<int64_t>(batch.begin(), batch.end()).size(), 7u);
  }
  constexpr int64_t kDraws = 9000;
  for (const bool replacement : {true, false}) {
    std::map<std::vector<int64_t>, double> seen;
    for (const auto& batch : drawn_batches(3, 2, kDraws, replacement, 6)) seen[batch] += 1.0 / kDraws;
    const size_t possible = replacement ? 9 : 6;
    EXPECT_EQ(seen.size(), possible);
    for (const auto& [batch, share] : seen) EXPECT_NEAR(share, 1.0 / static_cast<double>(possible), 0.02);
  }
  EXPECT_EQ(drawn_batches(10, 3, 4, true, 7), drawn_batches(10, 3, 4, true, 7));
  EXPECT_NE(drawn_batches(10, 3, 4, true, 7), drawn_batches(10, 3, 4, true, 8));
  EXPECT_THROW(drawn_batches(3, 4, 1, false, 1), c10::Error);
}

}  // namespace
}  // namespace bnlab
