#include "bnlab/study/cost_shares.h"

#include <gtest/gtest.h>

#include "bnlab/runs/cost.h"
#include "tests/small_run.h"

namespace bnlab {
namespace {

using testing::small_dataset;
using testing::small_spec;

TEST(CostShares, ARunThatTwoExperimentsNeedCountsForTheFirst) {
  const DataFacts facts = facts_of(small_dataset());
  const Setting setting{Scale::kQuick, facts, {1}};
  TrainSpec shared = small_spec("batch"), wide = small_spec("none");
  wide.threads = 4;
  Plan first(setting), second(setting);
  first.add("a", 1, "shared", shared);
  second.add("a", 1, "shared", shared);
  second.add("b", 1, "wide", wide);
  CostShares shares(facts);
  EXPECT_DOUBLE_EQ(shares.add(first), estimated_seconds(first.run("a", 1).spec, facts));
  EXPECT_DOUBLE_EQ(shares.add(second), 4 * estimated_seconds(second.run("b", 1).spec, facts));
  EXPECT_DOUBLE_EQ(CostShares(facts).add(second),
                   core_seconds(second.run("a", 1).spec, facts) + core_seconds(second.run("b", 1).spec, facts));
}

}  // namespace
}  // namespace bnlab
