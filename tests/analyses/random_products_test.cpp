#include "bnlab/analyses/random_products.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "bnlab/data/random.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

constexpr uint64_t kProductSeed = 5;

std::unique_ptr<RunReader> multiplied(const std::filesystem::path& folder, int64_t size, const Json& factors) {
  const AnalysisSpec spec{"random-products", {{"size", size}, {"factors", factors}}, {}, kProductSeed, 1};
  create_run(folder, spec);
  RunWriter writer(folder, "test");
  Recorder recorder(writer, "random-products");
  EXPECT_EQ(random_products_analysis().compute({spec, {}, {}, recorder, {}}), RunOutcome::kDone);
  writer.finish(0, "", -1);
  return std::make_unique<RunReader>(folder);
}

at::Tensor factor_by_hand(int64_t size, int64_t s) {
  Random random(mix(kProductSeed, "random-products", s));
  at::Tensor a = at::empty({size, size}, at::kDouble);
  for (int64_t i = 0; i < size; ++i) {
    for (int64_t j = 0; j < size; ++j) a[i][j] = random.normal() / std::sqrt(static_cast<double>(size));
  }
  return a;
}

double product_scalar(RunReader& run, int64_t s, const char* name) {
  return run.scalar_at({"random-products", s, name}, 0).value_or(NAN);
}

// By the eigenvalues of PᵀP, which lose half of the digits: enough for few factors.
TEST(RandomProducts, SingularValuesOfShortProducts) {
  constexpr int64_t kSize = 12;
  const testing::TempFolder temp;
  const auto run = multiplied(temp.path() / "run", kSize, {1, 3});
  const at::NoGradGuard no_grad;
  const at::Tensor one = factor_by_hand(kSize, 1),
                   three = factor_by_hand(kSize, 3).matmul(factor_by_hand(kSize, 2)).matmul(one);
  for (const auto& [s, product] : {std::pair{1, one}, std::pair{3, three}}) {
    const at::Tensor squares = at::linalg_eigvalsh(product.t().matmul(product));
    const auto recorded = run->arrays({"random-products", s, "singular_values"}).front().as_doubles();
    ASSERT_EQ(recorded.size(), static_cast<size_t>(kSize));
    std::vector<double> values;
    for (int64_t i = 0; i < kSize; ++i) values.push_back(std::sqrt(squares[i].item<double>()));
    for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(recorded[i], values[i], 1e-7) << s << " " << i;
    EXPECT_NEAR(product_scalar(*run, s, "log_spread"), std::log(values[11] / values[5]), 1e-6);
    EXPECT_NEAR(product_scalar(*run, s, "log_condition"), std::log(values[11] / values[0]), 1e-4);
  }
  EXPECT_TRUE(run->arrays({"random-products", 2, "singular_values"}).empty()) << "which nobody asked for";
}

// One matrix: the largest difference to the quarter circle, which may lie on either side of a step.
TEST(RandomProducts, DistanceIsKolmogorovs) {
  const testing::TempFolder temp;
  int below_the_law = 0, above_it = 0;
  for (const int64_t size : {2, 4, 6, 8, 10, 12, 14, 16}) {
    const auto run = multiplied(temp.path() / std::to_string(size), size, {1});
    const auto values = run->arrays({"random-products", 1, "singular_values"}).front().as_doubles();
    const auto n = static_cast<double>(size);
    double below = 0, above = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const double y = std::min(values[i], 2.0);
      const double law = (y / 2 * std::sqrt(4 - y * y) + 2 * std::asin(y / 2)) / std::numbers::pi;
      below = std::max(below, law - static_cast<double>(i) / n);
      above = std::max(above, static_cast<double>(i + 1) / n - law);
    }
    ++(below > above ? below_the_law : above_it);
    EXPECT_NEAR(product_scalar(*run, 1, "distance"), std::max(below, above), 1e-9) << size;
  }
  EXPECT_GT(below_the_law, 0);
  EXPECT_GT(above_it, 0);
}

TEST(RandomProducts, LargeOnesFollowTheLaw) {
  const testing::TempFolder temp;
  const auto run = multiplied(temp.path() / "run", 150, {1, 2, 5});
  for (const int64_t s : {1, 2, 5}) {
    EXPECT_LT(product_scalar(*run, s, "distance"), 0.04) << s;
    const auto theory = run->arrays({"random-products", s, "theory"}).front().as_doubles(),
               values = run->arrays({"random-products", s, "singular_values"}).front().as_doubles();
    EXPECT_NEAR(values[75] / theory[75], 1, 0.1) << s;
  }
}

// Of 2x2 matrices the smallest singular value is |det| over the largest, and determinants multiply: no digit is lost.
TEST(RandomProducts, ConditionNumbersFarBeyondDoublePrecision) {
  constexpr int64_t kFactors = 300;
  const testing::TempFolder temp;
  const auto run = multiplied(temp.path() / "run", 2, {kFactors});
  double log_det = 0;
  for (int64_t s = 1; s <= kFactors; ++s) {
    const at::Tensor a = factor_by_hand(2, s);
    log_det += std::log(std::abs((a[0][0] * a[1][1] - a[0][1] * a[1][0]).item<double>()));
  }
  const double largest = run->arrays({"random-products", kFactors, "singular_values"}).front().as_doubles().back();
  const double expected = 2 * std::log(largest) - log_det;
  EXPECT_GT(expected, std::log(1e60));
  EXPECT_NEAR(product_scalar(*run, kFactors, "log_condition") / expected, 1, 1e-9);
  EXPECT_NEAR(product_scalar(*run, 0, "lyapunov_spread"), std::numbers::ln2, 1e-12);
}

TEST(RandomProducts, RefusesWhatItCannotMultiply) {
  AnalysisSpec spec{"random-products", Json::object(), {}, 1, 1};
  EXPECT_EQ(random_products_analysis().complete(spec), (Json{{"size", 200}, {"factors", {1, 2, 5, 10}}}));
  spec.inputs = {"00112233aabbccdd"};
  EXPECT_THROW(random_products_analysis().complete(spec), SpecError);
  for (const char* parameters : {R"({"size": 3})", R"({"factors": []})", R"({"factors": [2, 2]})",
                                 R"({"factors": [0, 1]})", R"({"matrices": 1})"}) {
    const AnalysisSpec wrong{"random-products", Json::parse(parameters), {}, 1, 1};
    EXPECT_THROW(random_products_analysis().complete(wrong), SpecError) << parameters;
  }
}

}  // namespace
}  // namespace bnlab
