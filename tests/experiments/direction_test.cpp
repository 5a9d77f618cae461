// Every claim of every experiment can come out on either side, and says so for the right arms: made-up runs of which
// the truth is known must give the effect that was put in, so that two arms that change places anywhere turn a test
// red.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "bnlab/experiments/experiment_list.h"
#include "tests/experiments/affine_directions.h"
#include "tests/experiments/bjorck_noise_directions.h"
#include "tests/experiments/bjorck_sharpness_directions.h"
#include "tests/experiments/bjorck_start_directions.h"
#include "tests/experiments/bjorck_steps_directions.h"
#include "tests/experiments/chasing_directions.h"
#include "tests/experiments/curvature_modes_directions.h"
#include "tests/experiments/edge_of_stability_directions.h"
#include "tests/experiments/im_directions.h"
#include "tests/experiments/our_directions.h"
#include "tests/experiments/placement_directions.h"
#include "tests/experiments/population_directions.h"
#include "tests/experiments/rebuttals_directions.h"
#include "tests/experiments/results_batch_size_directions.h"
#include "tests/experiments/results_depth_directions.h"
#include "tests/experiments/results_directions.h"
#include "tests/experiments/santurkar_directions.h"
#include "tests/experiments/scaling_directions.h"
#include "tests/experiments/sigmoid_directions.h"
#include "tests/experiments/small_vgg_directions.h"
#include "tests/experiments/sync_batch_size_directions.h"
#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using testing::Case;
using testing::MadeUpRuns;
using testing::small_dataset;
using testing::TempFolder;
using testing::Truth;
using testing::World;

std::vector<JudgedClaim> judged_in(const std::string& experiment, const World& world) {
  TempFolder temp(testing::memory_or_disk());
  const Setting setting{Scale::kSmoke, facts_of(small_dataset()), {1, 2, 3}};
  const Experiment it = select_experiments(experiment).front();
  const Plan plan = it.plan(setting);
  MadeUpRuns::write(temp.path(), plan, setting.data, world);
  Results results(plan, temp.path());
  return judge(it.findings(setting, results).claims);
}

/// Whether an effect lies on the claim's side.
bool supports(const Side& side, double effect) {
  switch (side.kind) {
    case Side::Kind::kAbove:
      return effect > side.low;
    case Side::Kind::kBelow:
      return effect < side.high;
    case Side::Kind::kWithin:
      return effect > side.low && effect < side.high;
  }
  return false;
}
class Direction : public ::testing::TestWithParam<Case> {};

TEST_P(Direction, EveryClaimFollowsTheTruthToBothSides) {
  std::map<std::string, std::set<Verdict>> seen;
  for (const Truth& truth : GetParam().truths) {
    const auto judged = judged_in(GetParam().experiment, truth.world);
    EXPECT_EQ(judged.size(), truth.effects.size());
    for (const JudgedClaim& claim : judged) {
      SCOPED_TRACE(claim.claim.id);
      ASSERT_TRUE(truth.effects.count(claim.claim.id)) << "say which effect this claim must have";
      EXPECT_EQ(claim.reason, "");
      const double expected = truth.effects.at(claim.claim.id);
      EXPECT_NEAR(claim.interval.mean, expected, 1e-5 + 1e-5 * std::abs(expected));
      EXPECT_EQ(to_string(claim.verdict),
                to_string(supports(claim.claim.side, expected) ? Verdict::kSupported : Verdict::kNotSupported));
      seen[claim.claim.id].insert(claim.verdict);
    }
  }
  for (const auto& [id, verdicts] : seen) {
    EXPECT_EQ(verdicts.size(), 2u) << id << " came out on one side only";
  }
}

TEST_P(Direction, AFailingPreconditionLeavesItUndecided) {
  for (const JudgedClaim& claim : judged_in(GetParam().experiment, GetParam().stuck)) {
    SCOPED_TRACE(claim.claim.id);
    const bool unconditional = claim.evidence.preconditions.empty();
    EXPECT_EQ(unconditional, GetParam().unconditional.count(claim.claim.id) == 1);
    if (unconditional) continue;
    EXPECT_EQ(to_string(claim.verdict), "undecided");
    EXPECT_THAT(claim.reason, ::testing::HasSubstr("precondition"));
  }
}

TEST_P(Direction, OneToFourClaimsArePrimary) {
  size_t primary = 0;
  for (const JudgedClaim& claim : judged_in(GetParam().experiment, GetParam().stuck)) {
    primary += claim.claim.rank == Rank::kPrimary ? 1 : 0;
  }
  EXPECT_GE(primary, 1u);
  EXPECT_LE(primary, kMostPrimary);
}
const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> found = testing::santurkar_cases(), ours = testing::our_cases();
    for (Case& it : ours) found.push_back(std::move(it));
    found.push_back(testing::affine_case());
    found.push_back(testing::convolution_case());
    found.push_back(testing::backward_case());
    for (Case& it : testing::scaling_cases()) found.push_back(std::move(it));
    found.push_back(testing::placement_case());
    for (Case& it : testing::bjorck_start_cases()) found.push_back(std::move(it));
    found.push_back(testing::bjorck_rates_case());
    found.push_back(testing::bjorck_stepping_case());
    found.push_back(testing::bjorck_updates_case());
    for (Case& it : testing::im_cases()) found.push_back(std::move(it));
    found.push_back(testing::sigmoid_case());
    found.push_back(testing::chasing_case());
    for (Case& it : testing::population_cases()) found.push_back(std::move(it));
    found.push_back(testing::bjorck_noise_case());
    found.push_back(testing::bjorck_sharpness_case());
    found.push_back(testing::curvature_modes_case());
    found.push_back(testing::edge_case());
    found.push_back(testing::results_depth_case());
    found.push_back(testing::rebuttals_case());
    found.push_back(testing::results_batch_size_case());
    found.push_back(testing::sync_batch_size_case());
    for (Case& it : testing::results_cases()) found.push_back(std::move(it));
    return found;
  }();
  return all;
}

TEST(DirectionCases, ThereIsOneForEveryExperiment) {
  std::set<std::string> covered, known;
  for (const Case& it : cases()) covered.insert(it.experiment);
  for (const Experiment& it : experiments()) known.insert(it.name);
  EXPECT_EQ(covered, known);
}

INSTANTIATE_TEST_SUITE_P(All, Direction, ::testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = info.param.experiment;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace bnlab
