#include "tests/ranks/threads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <vector>

namespace bnlab {
namespace {

using testing::run_ranks;

TEST(ThreadRanks, GatherSumAndTakeFromFirst) {
  run_ranks(3, [](Ranks& ranks) {
    const auto mine = at::full({2}, static_cast<double>(ranks.rank() + 1), at::kDouble);
    const auto all = ranks.gather(mine);
    EXPECT_TRUE(at::equal(all, at::tensor({1., 1., 2., 2., 3., 3.}, at::kDouble).view({3, 2})));
    auto sum = mine.clone();
    auto other = at::full({5}, ranks.rank(), at::kLong);
    const auto end = ranks.begin_sum(sum);
    const auto end_other = ranks.begin_sum(other);
    end_other();
    end();
    EXPECT_TRUE(at::equal(sum, at::full({2}, 6., at::kDouble)));
    EXPECT_TRUE(at::equal(other, at::full({5}, 3, at::kLong)));
    ranks.take_from_first(other.mul_(ranks.rank() + 1));
    EXPECT_TRUE(at::equal(other, at::full({5}, 3, at::kLong)));
  });
}

TEST(ThreadRanks, OneRankThatThrowsEndsAll) {
  EXPECT_THROW(run_ranks(3,
                         [](Ranks& ranks) {
                           if (ranks.rank() == 1) throw std::out_of_range("mine");
                           ranks.gather(at::zeros({1}));
                         }),
               std::out_of_range);
}

TEST(ThreadRanks, CallsThatDoNotFitAreAnError) {
  const auto differ = [](Ranks& ranks) { ranks.gather(at::zeros({ranks.rank() + 1})); };
  EXPECT_THROW(run_ranks(2, differ), RanksError);
  const auto other_call = [](Ranks& ranks) {
    if (ranks.rank() == 0) ranks.gather(at::zeros({1}));
    if (ranks.rank() == 1) ranks.take_from_first(at::zeros({1}));
  };
  EXPECT_THROW(run_ranks(2, other_call), RanksError);
}

TEST(ThreadRanks, ARankThatEndsEarlyIsNotWaitedForForever) {
  EXPECT_THROW(run_ranks(2,
                         [](Ranks& ranks) {
                           if (ranks.rank() == 0) ranks.gather(at::zeros({1}));
                         }),
               RanksError);
}

}  // namespace
}  // namespace bnlab
