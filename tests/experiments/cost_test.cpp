// What all experiments cost together.
#include <gtest/gtest.h>

#include "bnlab/experiments/experiment_list.h"
#include "bnlab/study/cost_shares.h"

namespace bnlab {
namespace {

constexpr double kMostCoreSeconds = 3600;  // half an hour on two cores

TEST(Cost, AllExperimentsAtQuickFitIntoAnHourOfOneCore) {
  const DataFacts facts{"fashion-mnist", "Fashion-MNIST", "0", {1, 28, 10}, 60000, 10000};
  CostShares shares(facts);
  double sum = 0;
  std::string each;
  for (const auto& experiment : experiments()) {
    const double share = shares.add(experiment.plan({Scale::kQuick, facts, {1, 2, 3, 4, 5}}));
    EXPECT_GE(share, 0) << experiment.name;
    each += "\n  " + experiment.name + ": " + std::to_string(share);
    sum += share;
  }
  EXPECT_LT(sum, kMostCoreSeconds) << "estimated core-seconds of each experiment:" << each;
}

}  // namespace
}  // namespace bnlab
