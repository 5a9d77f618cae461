#include "bnlab/numerics/eigenvalues.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tests/numerics/matrices.h"

namespace bnlab {
namespace {

using testing::diagonal_operator;
using testing::matrix_of;
using testing::operator_of;
using testing::spoiled_operator;

constexpr double kTight = 1e-10;

/// `tops`, then a bulk of n values between -1 and 1.
std::vector<double> with_bulk(std::vector<double> tops, int n) {
  for (int i = 0; i < n; ++i) tops.push_back(std::cos(i * 0.7));
  return tops;
}

void expect_values(const Eigenpairs& found, const std::vector<double>& expected, double tolerance) {
  EXPECT_TRUE(found.converged);
  EXPECT_TRUE(found.finite);
  ASSERT_EQ(found.pairs.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_TRUE(found.pairs[i].converged) << i;
    EXPECT_NEAR(found.pairs[i].value, expected[i], tolerance) << i;
  }
}

TEST(TopEigenpairs, SeparatedClusteredAndNegative) {
  const at::Tensor a = matrix_of(with_bulk({9, 5, 4.999, 4.998, -20}, 200));
  const EigenOptions options{.count = 4, .tolerance = kTight, .vectors = true};
  const Eigenpairs found = top_eigenpairs(operator_of(a), options);
  expect_values(found, {9, 5, 4.999, 4.998}, 1e-8);
  for (const Eigenpair& pair : found.pairs) {
    const at::Tensor v = at::tensor(pair.vector, at::kDouble);
    EXPECT_NEAR(v.norm().item<double>(), 1, 1e-12);
    EXPECT_NEAR((a.mv(v) - pair.value * v).norm().item<double>(), pair.residual, 1e-12);
    EXPECT_LE(pair.residual, kTight * 20);
  }
}

TEST(TopEigenpairs, ByMagnitude) {
  const at::Tensor a = matrix_of(with_bulk({9, 5, -7, -20}, 150));
  expect_values(top_eigenpairs(operator_of(a), {.count = 3, .order = EigenOrder::kMagnitude, .tolerance = kTight}),
                {-20, 9, -7}, 1e-8);
}

TEST(TopEigenpairs, OppositeOnesOfOneMagnitude) {
  const at::Tensor a = matrix_of(with_bulk({6, -6, 3}, 150));
  const Eigenpairs found =
      top_eigenpairs(operator_of(a), {.count = 3, .order = EigenOrder::kMagnitude, .tolerance = kTight});
  EXPECT_TRUE(found.converged);
  EXPECT_NEAR(found.pairs[0].value + found.pairs[1].value, 0, 1e-8);
  EXPECT_NEAR(std::abs(found.pairs[0].value), 6, 1e-8);
  EXPECT_NEAR(found.pairs[2].value, 3, 1e-8);
}

TEST(TopEigenpairs, RepeatedOnesAsOftenAsTheyRepeat) {
  const at::Tensor a = matrix_of(with_bulk({5, 5, 5, 4, 3}, 150));
  expect_values(top_eigenpairs(operator_of(a), {.count = 4, .tolerance = 1e-8}), {5, 5, 5, 4}, 1e-6);
  // Without any rounding one vector's Krylov space holds one copy alone.
  std::vector<double> values(60, 1.0);
  values[10] = values[20] = 4;
  values[30] = 2;
  expect_values(top_eigenpairs(diagonal_operator(values), {.count = 3, .tolerance = 1e-8}), {4, 4, 2}, 1e-6);
}

TEST(TopEigenpairs, ValuesThatLieDenserThanTheToleranceAreNotSearchedForEver) {
  std::vector<double> values;
  for (int i = 1; i < 1500; ++i) values.push_back(25 / std::sqrt(i));
  const std::vector<double> tops(values.begin(), values.begin() + 10);
  for (const uint64_t seed : {1, 2, 3, 4, 5}) {
    const Eigenpairs found = top_eigenpairs(diagonal_operator(values),
                                            {.count = 10, .tolerance = 0.01, .most_products = 2000, .seed = seed});
    expect_values(found, tops, 0.25);
    EXPECT_LT(found.products, 200) << seed;
  }
}

TEST(TopEigenpairs, ASmallOperatorIsExact) {
  const at::Tensor a = matrix_of({2, 2, -1});
  expect_values(top_eigenpairs(operator_of(a), {.count = 5, .tolerance = 1e-12}), {2, 2, -1}, 1e-12);
  expect_values(top_eigenpairs(diagonal_operator({-3}), {.count = 1}), {-3}, 0);
  expect_values(top_eigenpairs(diagonal_operator(std::vector<double>(40, 0.0)), {.count = 2}), {0, 0}, 0);
  expect_values(top_eigenpairs(diagonal_operator(std::vector<double>(40, 7.0)), {.count = 3}), {7, 7, 7}, 1e-12);
}

TEST(TopEigenpairs, TooFewProductsAreSaid) {
  std::vector<double> even(400);
  std::iota(even.begin(), even.end(), 1.0);
  const auto a = diagonal_operator(even);
  const Eigenpairs early = top_eigenpairs(a, {.count = 2, .tolerance = 1e-8, .most_products = 20});
  EXPECT_FALSE(early.converged);
  EXPECT_LE(early.products, 20);
  ASSERT_EQ(early.pairs.size(), 2);
  EXPECT_FALSE(early.pairs[0].converged);
  EXPECT_GT(early.residual, 1e-8 * 400);
  EXPECT_LT(early.pairs[0].value, 400);
  expect_values(top_eigenpairs(a, {.count = 2, .tolerance = 1e-8, .most_products = 2000}), {400, 399}, 1e-5);
}

TEST(TopEigenpairs, CountsItsProducts) {
  int64_t products = 0;
  const auto a = diagonal_operator(with_bulk({9, 8, 7}, 100));
  const LinearOperator counted{a.dimension, [&](std::span<const double> in, std::span<double> out) {
                                 ++products;
                                 a.apply(in, out);
                               }};
  const Eigenpairs found = top_eigenpairs(counted, {.count = 3});
  EXPECT_EQ(found.products, products);
  EXPECT_LT(products, 70);
}

TEST(TopEigenpairs, TheSeedFixesTheBits) {
  const auto a = operator_of(matrix_of(with_bulk({9, 8, 7}, 100)));
  const auto residual = [&](uint64_t seed) { return top_eigenpairs(a, {.count = 3, .seed = seed}).residual; };
  EXPECT_EQ(residual(1), residual(1));
  EXPECT_NE(residual(1), residual(2));
}

TEST(TopEigenpairs, ANanIsSaid) {
  for (const int good : {0, 5}) {
    const Eigenpairs found = top_eigenpairs(spoiled_operator(50, good), {.count = 2});
    EXPECT_FALSE(found.finite);
    EXPECT_FALSE(found.converged);
    EXPECT_TRUE(found.pairs.empty());
    EXPECT_TRUE(std::isnan(found.residual));
    EXPECT_EQ(found.products, good + 1);
  }
}

TEST(TopEigenpairs, OptionsOutOfRangeAreRefused) {
  const auto a = diagonal_operator({1, 2});
  EXPECT_THROW(top_eigenpairs(a, {.count = 0}), c10::Error);
  EXPECT_THROW(top_eigenpairs(a, {.tolerance = NAN}), c10::Error);
  EXPECT_THROW(top_eigenpairs(a, {.count = 2, .most_products = 4}), c10::Error);
  EXPECT_THROW(top_eigenpairs({}, {}), c10::Error);
}

TEST(LargestSingularValue, IsTheMatrixNorm) {
  Random random(1);
  const at::Tensor x = normal_vector(80 * 50, random).view({80, 50});
  const SingularValue norm = largest_singular_value(operator_of(x.t().mm(x)), {.tolerance = 1e-9});
  EXPECT_TRUE(norm.converged);
  EXPECT_NEAR(norm.value, at::linalg_matrix_norm(x, 2).item<double>(), 1e-8);
  EXPECT_LE(norm.residual, 1e-9);
  const SingularValue none = largest_singular_value(spoiled_operator(50, 3), {});
  EXPECT_FALSE(none.finite);
  EXPECT_TRUE(std::isnan(none.value));
}

TEST(Scaled, IsDAD) {
  const at::Tensor a = matrix_of({3, 2, 1, -1}), d = at::tensor({1.0, 2.0, 0.5, 3.0}, at::kDouble);
  const auto both = top_eigenpairs(scaled(operator_of(a), {1, 2, 0.5, 3}), {.count = 4, .tolerance = 1e-12});
  const at::Tensor expected = at::linalg_eigvalsh(d.unsqueeze(1) * a * d).flip(0);
  for (int64_t i = 0; i < 4; ++i) EXPECT_NEAR(both.pairs[i].value, expected[i].item<double>(), 1e-12);
  EXPECT_THROW(scaled(operator_of(a), {1, 2}), c10::Error);
}

}  // namespace
}  // namespace bnlab
