// Every instruction set's loops against the oracle; the other tests see the fastest only.
#include "bnlab/kernels/loops.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/kernels/batch_case.h"

namespace bnlab::kernels {
namespace {

template <class T>
class LoopsOfAllInstructionSets : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(LoopsOfAllInstructionSets, Types);

// A whole contiguous patch is a batch of `rows` samples, `slots` channels and `run` positions.
template <class T>
void check(const Loops<T>& loops, const Patch& patch) {
  SCOPED_TRACE(std::string(loops.instruction_set) + " " + std::to_string(patch.rows) + " x " +
               std::to_string(patch.slots) + " x " + std::to_string(patch.run));
  constexpr double kUlp = std::numeric_limits<T>::epsilon();
  BatchCase<T> t({patch.rows, patch.slots, patch.run, Layout::kChannelsFirst});
  const auto count = static_cast<double>(t.shape.count());
  const auto statistics = oracle::statistics(t.batch(), 0);
  loops.moments(patch, t.x.data(), t.mean.data(), t.var_biased.data());
  expect_near(t.mean, statistics.mean, "mean", [&](std::size_t c) { return 8 * kUlp / statistics.rstd[c]; });
  for (std::size_t c = 0; c < t.var_biased.size(); ++c) t.var_biased[c] /= count;
  expect_near(t.var_biased, statistics.var_biased, "var_biased",
              [&](std::size_t c) { return 16 * kUlp * statistics.var_biased[c]; });

  const std::vector<double> ones(t.mean.size(), 1), zeros(t.mean.size(), 0);
  oracle::Statistics given{t.beta.doubles(), {}, t.gamma.doubles()};
  loops.affine(patch, t.x.data(), {t.beta.data(), t.gamma.data(), t.gamma.data()}, t.y.data());
  const auto y = oracle::forward(t.batch(), given, ones, t.gamma.doubles());
  const double most = std::max(1.0, largest(t.x.doubles()));
  expect_near(t.y, y, "y", [&](std::size_t) { return 8 * kUlp * most; });

  Values<double> sum(patch.slots), product(patch.slots);
  loops.gradient_sums(patch, t.x.data(), t.dy.data(), t.beta.data(), sum.data(), product.data());
  given.rstd = ones;
  const auto sums = oracle::backward(t.batch(), t.dy.doubles(), given, ones, false);
  expect_near(sum, sums.dbeta, "sum_dy", [&](std::size_t) { return 4 * kUlp * count; });
  expect_near(product, sums.dgamma, "sum_dy_x", [&](std::size_t) { return 8 * kUlp * count * most; });

  // dx = dy*gamma + (x - beta)*gamma + beta
  loops.input_gradient(patch, t.x.data(), t.dy.data(), {t.beta.data(), t.gamma.data(), t.gamma.data(), t.beta.data()},
                       t.dx.data());
  for (std::int64_t c = 0; c < patch.slots; ++c) {
    const auto k = static_cast<std::size_t>(c);
    oracle::for_channel(t.batch(), c, [&](std::size_t i) {
      const double expected = (double{t.dy[i]} + t.x[i] - t.beta[k]) * t.gamma[k] + t.beta[k];
      ASSERT_TRUE(std::abs(t.dx[i] - expected) <= 16 * kUlp * most) << "dx[" << i << "]";
    });
  }
  EXPECT_TRUE(t.guarded() && sum.guarded() && product.guarded());
}

TYPED_TEST(LoopsOfAllInstructionSets, AgreeWithOracle) {
  std::set<std::string> seen;
  for (const Loops<TypeParam>* loops : supported_loops<TypeParam>()) {
    EXPECT_TRUE(seen.insert(loops->instruction_set).second);
    for (const bool streams : {false, true}) {
      for (const std::int64_t rows : {2, 3, 129}) {
        for (const std::int64_t slots : {1, 5, 31, 64, 65, 513}) {
          check(*loops, {.row_stride = slots, .rows = rows, .slots = slots, .streams = streams});
        }
        for (const std::int64_t run : {2, 33, 64, 127, 5000}) {
          check(*loops, {.row_stride = 3 * run, .rows = rows, .slots = 3, .run = run, .streams = streams});
        }
      }
    }
  }
  EXPECT_EQ(&loops<TypeParam>(), supported_loops<TypeParam>().front());
  EXPECT_TRUE(seen.contains("Baseline"));
}

}  // namespace
}  // namespace bnlab::kernels
