#include "bnlab/bench/exactness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>

namespace bnlab::bench {
namespace {

// The peers lose digits at large means; ours stays within two machine epsilons of max(1, |y|), and |y| stays below 6.
TEST(Exactness, OursHoldsItsBoundInBothLayoutsAndPeersAreMeasured) {
  const auto rows = measure_exactness();
  ASSERT_EQ(rows.size(), 6u);
  for (const ExactnessRow& row : rows) {
    SCOPED_TRACE(row.name + " " + row.layout);
    ASSERT_EQ(row.errors.size(), std::size(kMeansOverDeviation));
    for (std::size_t i = 0; i < row.errors.size(); ++i) {
      const bool bounded = row.name == "bnlab" ? kMeansOverDeviation[i] <= 1e4 : kMeansOverDeviation[i] <= 1;
      if (bounded) {
        EXPECT_TRUE(row.errors[i] <= (row.name == "bnlab" ? 6 * 2.4e-7 : 1e-4)) << row.errors[i];
      }
      EXPECT_TRUE(row.errors[i] > 0);
    }
  }
  EXPECT_THAT(exactness_table(rows), ::testing::HasSubstr("| PyTorch, channels last |"));
}

}  // namespace
}  // namespace bnlab::bench
