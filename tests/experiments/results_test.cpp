// Paths and rates whose answer is known.
#include "bnlab/experiments/basics/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using namespace results;
using ::testing::ElementsAre;

TEST(ResultsPath, IsReadWhereItFirstComesDownToTheLoss) {
  const Path path{{8, 4, 6, 2}, {0, 10, 20, 30}};
  EXPECT_EQ(value_at(path, 9), 0);  // above its start
  EXPECT_EQ(value_at(path, 8), 0);
  EXPECT_EQ(value_at(path, 5), 7.5);
  EXPECT_EQ(value_at(path, 3), 27.5);
  EXPECT_EQ(value_at(path, 2), 30);
  EXPECT_TRUE(std::isnan(value_at(path, 1)));
}

TEST(ResultsPath, BothReachTheHigherOfTheirLowestLosses) {
  const Path deep{{8, 1, 2}, {0, 1, 2}}, shallow{{7, 5, 3}, {0, 1, 2}};
  EXPECT_EQ(reached_by_both(deep, shallow), 3);
  EXPECT_EQ(reached_by_both(shallow, deep), 3);
}

TEST(ResultsPath, IsDrawnAsFarAsAllGet) {
  const Path far{{1, 0.5}, {0, 1}}, near{{1, 0.75}, {0, 1}};
  const auto points = by_loss("arm", {far, near});
  ASSERT_EQ(points.size(), 3u);  // 1, 0.9, 0.81; at 0.729 the second is not
  EXPECT_DOUBLE_EQ(points[1].x, 0.9);
  EXPECT_NEAR(points[1].low, 0.2, 1e-12);
  EXPECT_NEAR(points[1].high, 0.4, 1e-12);
  EXPECT_NEAR(points[1].mean, 0.3, 1e-12);
}

TEST(ResultsPath, EndsAlsoAtALossOfZeroAndWhereNothingIsKnown) {
  EXPECT_FALSE(by_loss("arm", {{{1, 0}, {0, 1}}}).empty());
  EXPECT_TRUE(by_loss("arm", {{{NAN, NAN}, {0, 1}}}).empty());
  EXPECT_TRUE(by_loss("arm", {{}}).empty());
  EXPECT_TRUE(by_loss("arm", {}).empty());
  EXPECT_TRUE(std::isnan(reached_by_both({}, {{1}, {0}})));
}

/// Losses at the rates 0.1 and 30, a seed a place; all other rates are worse.
struct AtTwoRates {
  std::vector<double> low, high;
};

std::vector<size_t> chosen(const AtTwoRates& losses) {
  testing::TempFolder temp(testing::memory_or_disk());
  std::vector<int64_t> seeds(losses.low.size());
  for (size_t i = 0; i < seeds.size(); ++i) seeds[i] = static_cast<int64_t>(i) + 1;
  const Setting setting{Scale::kSmoke, facts_of(testing::small_dataset()), seeds};
  const Plan plan = grid_plan(setting);
  for (const PlannedRun& run : plan.runs()) {
    const auto& spec = std::get<TrainSpec>(run.spec);
    const auto seed = static_cast<size_t>(run.seed - 1);
    const double rate = spec.optimizer.lr;
    create_run(temp / run.id, run.spec);
    RunWriter writer(temp / run.id, "test");
    for (int64_t step = 0; step < spec.steps; ++step) {
      writer.scalar(step, {"train", 0, "loss"}, rate == 0.1 ? losses.low[seed] : rate == 30 ? losses.high[seed] : 9);
    }
    writer.finish(spec.steps, "x", -1);
  }
  Results results(plan, temp.path());
  return best_rates(ArmRuns(setting, results), kBn);
}

TEST(ResultsBestRate, IsChosenByTheOtherSeeds) {
  // With its own seed it would be 30 for all of them, by its own seed alone 30, 0.1 and 0.1.
  EXPECT_THAT(chosen({.low = {5, 3, 3}, .high = {0, 4, 4}}), ElementsAre(2, 7, 7));
}

TEST(ResultsBestRate, OfASingleSeedIsItsOwn) {
  EXPECT_THAT(chosen({.low = {1}, .high = {2}}), ElementsAre(2));
}

TEST(ResultsBestRate, IsUnknownWhileRunsAreMissing) {
  testing::TempFolder temp(testing::memory_or_disk());
  const Setting setting{Scale::kSmoke, facts_of(testing::small_dataset()), {1, 2, 3}};
  const Plan plan = grid_plan(setting);
  Results results(plan, temp.path());
  EXPECT_TRUE(best_rates(ArmRuns(setting, results), kPlain).empty());
}

}  // namespace
}  // namespace bnlab
