// Who is wrong where contenders differ, on both sides: with corrupted copies of right results.
#include "bnlab/bench/referee.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "bnlab/bench/results.h"
#include "tests/oracle/batch_norm_oracle.h"

namespace bnlab::bench {
namespace {

using kernels::Fusion;
using ::testing::HasSubstr;

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

NamedShape judged_shape() {
  return {"test", "batch", 5, 7, 3, 2};
}

template <class T>
std::vector<double> doubles(const Buffer<T>& values) {
  std::vector<double> to;
  for (const T value : values) to.push_back(static_cast<double>(value));
  return to;
}

/// All outputs for all fusions, by the oracle of the kernels' tests.
template <class E>
void expect_the_oracles_numbers(Fusion fusion) {
  const NamedShape shape = judged_shape();
  const BatchData<E> batch = make_batch<E>(shape);
  const Reference<E> reference(batch, shape, fusion);
  const oracle::Batch x{shape.n, shape.c, shape.h * shape.w, false, doubles(batch.x)};
  const auto gamma = doubles(batch.gamma), beta = doubles(batch.beta), addend = doubles(batch.addend);
  const auto activated = [&](std::vector<double> z) {
    for (std::size_t i = 0; fusion == Fusion::kAddRelu && i < z.size(); ++i) z[i] += addend[i];
    return fusion == Fusion::kNone ? z : oracle::relu(z);
  };
  const oracle::Statistics statistics = oracle::statistics(x, kEps);
  oracle::Statistics running{doubles(batch.running_mean), doubles(batch.running_var), {}};
  for (const double var : running.var_biased) running.rstd.push_back(1 / std::sqrt(var + kEps));
  const auto y = activated(oracle::forward(x, statistics, gamma, beta));
  const auto evaluated = activated(oracle::forward(x, running, gamma, beta));
  std::vector<double> dz = doubles(batch.dy);
  for (std::size_t i = 0; fusion != Fusion::kNone && i < dz.size(); ++i) dz[i] = y[i] > 0 ? dz[i] : 0;
  const oracle::Gradients gradients = oracle::backward(x, dz, statistics, gamma, true);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    ASSERT_NEAR(reference.element(Output::kY, at), y[i], 1e-12) << i;
    ASSERT_NEAR(reference.element(Output::kEvaluatedY, at), evaluated[i], 1e-12) << i;
    ASSERT_NEAR(reference.element(Output::kDx, at), gradients.dx[i], 1e-12) << i;
    ASSERT_EQ(reference.element(Output::kDaddend, at), dz[i]) << i;
  }
  for (std::size_t c = 0; c < gamma.size(); ++c) {
    const auto at = static_cast<std::int64_t>(c);
    ASSERT_NEAR(reference.sum(Output::kDgamma, at), gradients.dgamma[c], 1e-12) << c;
    ASSERT_NEAR(reference.sum(Output::kDbeta, at), gradients.dbeta[c], 1e-12) << c;
  }
}

TEST(BenchReference, ComputesWhatTheKernelsOracleDoes) {
  for (const Fusion fusion : {Fusion::kNone, Fusion::kRelu, Fusion::kAddRelu}) {
    expect_the_oracles_numbers<float>(fusion);
    expect_the_oracles_numbers<double>(fusion);
    expect_the_oracles_numbers<kernels::BFloat16>(fusion);
    expect_the_oracles_numbers<kernels::Float16>(fusion);
  }
}

Verdict judged(const std::vector<double>& ours, const std::vector<double>& theirs, const std::vector<double>& right) {
  return judge(ours.data(), theirs.empty() ? nullptr : theirs.data(), static_cast<std::int64_t>(ours.size()), {1e-3},
               [&](std::int64_t i) { return right[static_cast<std::size_t>(i)]; });
}

TEST(Judge, FindsWhoeverIsFarFromWhatIsExpected) {
  const Verdict theirs = judged({1, 2, 3, 4}, {1, 2.5, 3, -4}, {1, 2, 3, 4});
  EXPECT_EQ(theirs.wrong_of_ours, 0);
  EXPECT_EQ(theirs.wrong_of_theirs, 2);
  EXPECT_EQ(theirs.first_of_theirs, 1);
  const Verdict ours = judged({1, 2, 3.5, kNoNumber}, {1, 2, 3, 4}, {1, 2, 3, 4});
  EXPECT_EQ(ours.wrong_of_ours, 2);
  EXPECT_EQ(ours.first_of_ours, 2);
  EXPECT_EQ(ours.wrong_of_theirs, 0);
  const Verdict both = judged({1, 7}, {1, 8}, {1, 2});
  EXPECT_EQ(both.wrong_of_ours, 1);
  EXPECT_EQ(both.wrong_of_theirs, 1);
}

TEST(Judge, LetsRoundingOnBothSidesPassAndNoNaN) {
  const Verdict rounded = judged({1.0008}, {0.9992}, {1});
  EXPECT_EQ(rounded.wrong_of_ours + rounded.wrong_of_theirs, 0);
  EXPECT_EQ(judged({1}, {kNoNumber}, {1}).wrong_of_theirs, 1);
  EXPECT_EQ(judged({kNoNumber}, {kNoNumber}, {1}).wrong_of_ours, 1);
  EXPECT_EQ(judged({1}, {2}, {kNoNumber}).wrong_of_ours, 1) << "what is not known to be right is not right";
}

TEST(Judge, LooksAtAllOfOursWhereThereIsNobodyElse) {
  EXPECT_EQ(judged({1, 2, 3}, {}, {1, 2, 3}).wrong_of_ours, 0);
  EXPECT_EQ(judged({1, 2, 4}, {}, {1, 2, 3}).wrong_of_ours, 1);
}

/// Right results of a batch in one layout, to be corrupted.
template <class E>
class RightResults {
 public:
  explicit RightResults(const std::string& layout) : layout_(layout) {
    const Reference<E> reference(batch_, shape_, Fusion::kRelu);
    Buffer<E> nchw(batch_.x.size());
    for (std::size_t i = 0; i < nchw.size(); ++i) {
      nchw[i] = static_cast<E>(static_cast<float>(reference.element(Output::kDx, static_cast<std::int64_t>(i))));
    }
    for (std::int64_t c = 0; c < shape_.c; ++c) dgamma.push_back(reference.sum(Output::kDgamma, c));
    dx = Buffer<E>(nchw.size());
    std::copy(nchw.begin(), nchw.end(), dx.begin());
    if (layout == kNhwc) to_channels_last(nchw.data(), dx.data(), shape_.n, shape_.c, shape_.h * shape_.w);
  }
  [[nodiscard]] Buffer<E> dx_with(std::size_t i, float value) const {
    Buffer<E> changed(dx.size());
    std::copy(dx.begin(), dx.end(), changed.begin());
    changed[i] = static_cast<E>(value);
    return changed;
  }
  [[nodiscard]] Referee<E> referee() const { return {"the case", batch_, shape_, layout_, Fusion::kRelu}; }

  Buffer<E> dx;
  std::vector<double> dgamma;

 private:
  NamedShape shape_ = judged_shape();
  BatchData<E> batch_ = make_batch<E>(shape_);
  std::string layout_;
};

template <class E>
class RefereeOf : public ::testing::Test {};
using Elements = ::testing::Types<float, kernels::BFloat16, kernels::Float16>;
TYPED_TEST_SUITE(RefereeOf, Elements);

TYPED_TEST(RefereeOf, NamesWhatIsWrongWithAPeer) {
  for (const char* layout : {kNchw, kNhwc}) {
    const RightResults<TypeParam> right(layout);
    Referee<TypeParam> referee = right.referee();
    EXPECT_EQ(referee.fault(Output::kDx, right.dx.data(), right.dx.data()), "");
    const auto wrong = right.dx_with(100, 77);
    EXPECT_THAT(referee.fault(Output::kDx, right.dx.data(), wrong.data()),
                HasSubstr("its dx is wrong in 1 of 210 values, the first of which (number 100) is 77, not "));
    const auto no_number = right.dx_with(3, std::numeric_limits<float>::quiet_NaN());
    EXPECT_THAT(referee.fault(Output::kDx, right.dx.data(), no_number.data()), HasSubstr("(number 3) is nan, not "));
  }
}

TYPED_TEST(RefereeOf, AWrongResultOfOursIsAnErrorWhateverThePeerSays) {
  for (const char* layout : {kNchw, kNhwc}) {
    const RightResults<TypeParam> right(layout);
    Referee<TypeParam> referee = right.referee();
    const auto wrong = right.dx_with(100, 77), elsewhere = right.dx_with(5, 70);
    for (const TypeParam* theirs : {right.dx.data(), elsewhere.data(), static_cast<TypeParam*>(nullptr)}) {
      try {
        (void)referee.fault(Output::kDx, wrong.data(), theirs);
        ADD_FAILURE() << "a wrong dx of ours passed in " << layout;
      } catch (const std::runtime_error& error) {
        EXPECT_THAT(error.what(), HasSubstr("the case: bnlab's dx is wrong in 1 of 210 values, the first of which "
                                            "(number 100) is 77, not "));
      }
    }
    EXPECT_EQ(referee.fault(Output::kDx, right.dx.data(), nullptr), "");
  }
}

TEST(Referee, JudgesSumsByTheirChannels) {
  const RightResults<float> right(kNchw);
  Referee<float> referee = right.referee();
  std::vector<double> wrong = right.dgamma;
  wrong[2] += 1;
  EXPECT_EQ(referee.fault_of_sums(Output::kDgamma, right.dgamma.data(), right.dgamma.data()), "");
  EXPECT_THAT(referee.fault_of_sums(Output::kDgamma, right.dgamma.data(), wrong.data()),
              HasSubstr("its dgamma is wrong in 1 of 7 values, the first of which (number 2) is"));
  EXPECT_THROW((void)referee.fault_of_sums(Output::kDgamma, wrong.data(), right.dgamma.data()), std::runtime_error);
  EXPECT_THROW((void)referee.fault_of_sums(Output::kDbeta, right.dgamma.data(), nullptr), std::runtime_error);
}

}  // namespace
}  // namespace bnlab::bench
