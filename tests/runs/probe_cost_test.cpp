#include "bnlab/runs/probe_cost.h"

#include <gtest/gtest.h>

#include "bnlab/runs/completion.h"
#include "bnlab/runs/cost.h"
#include "tests/small_run.h"

namespace bnlab {
namespace {

using testing::small_dataset;
using testing::small_spec;

DataFacts facts() {
  return facts_of(small_dataset());
}

TrainSpec with_probes(int64_t steps, const std::vector<ProbeSpec>& probes, int64_t seed = 0) {
  TrainSpec spec = small_spec("batch", steps);
  spec.probes = probes;
  spec.seed = seed;
  return std::get<TrainSpec>(complete_run_spec(spec, facts()));
}

const ProbeSpec kLandscape = {"landscape", 0, 2, false, {{"points", 8}, {"random", true}}};
const ProbeSpec kSketch = {"gradient-sketch", 0, 1, false, Json::object()};

TEST(ProbeCost, CountsLooksInTrainingSteps) {
  EXPECT_DOUBLE_EQ(probe_cost(with_probes(11, {}), facts()), 0);
  EXPECT_DOUBLE_EQ(probe_cost(with_probes(11, {kLandscape}), facts()), 6 * 16);  // steps 0, 2 … 10
  const ProbeSpec late = {"landscape", 11, 1, false, {{"points", 8}}};
  EXPECT_DOUBLE_EQ(probe_cost(with_probes(11, {late}), facts()), 0);
  // A forward pass of 40 test images is 40/16 of a batch's, and that a third of a step.
  const ProbeSpec accuracy = {"accuracy", 0, 10, true, {{"split", "test"}, {"examples", 0}}};
  EXPECT_DOUBLE_EQ(probe_cost(with_probes(11, {accuracy}), facts()), 3 * 40.0 / 16 / 3);  // steps 0, 10 and the end
  const ProbeSpec first_layers = {"ics", 0, 11, false, {{"layers", {1, 5}}}};
  EXPECT_DOUBLE_EQ(probe_cost(with_probes(11, {first_layers}), facts()), 1.0 / 3 + 1 + 0.5);
}

TEST(ProbeCost, IsPartOfARunsCost) {
  const double bare = estimated_seconds(with_probes(10, {}), facts());
  const double more = estimated_seconds(with_probes(20, {}), facts());
  const ProbeSpec ten_steps = {"landscape", 0, 10, false, {{"points", 10}}};
  EXPECT_NEAR(estimated_seconds(with_probes(10, {ten_steps}), facts()), more, 1e-9);
  EXPECT_GT(more, bare);
}

TEST(Thinning, IsTheLeastThatKeepsTheBudgetInEveryRun) {
  const std::vector<RunSpec> specs = {with_probes(100, {kLandscape}), with_probes(100, {}),
                                      with_probes(400, {{"landscape", 0, 40, false, {{"points", 2}}}})};
  const int64_t n = thinning_for(0.5, specs, facts());
  EXPECT_EQ(n, 17);  // the first has 50 looks of 16 steps each and may have 3: numbers 0, 17 and 34
  const auto share = [](TrainSpec spec, int64_t by) {
    thin_probes(spec, by);
    return probe_cost(spec, facts()) / static_cast<double>(spec.steps);
  };
  for (const RunSpec& spec : specs) EXPECT_LE(share(std::get<TrainSpec>(spec), n), 0.5);
  EXPECT_GT(share(std::get<TrainSpec>(specs[0]), n - 1), 0.5);
  EXPECT_EQ(thinning_for(100, specs, facts()), 1);
  EXPECT_EQ(thinning_for(0.5, {AnalysisSpec{}}, facts()), 1);
}

TEST(Thinning, LeavesOneLookIfNothingIsEnough) {
  TrainSpec spec = with_probes(100, {kLandscape});
  thin_probes(spec, thinning_for(1e-9, {spec}, facts()));
  EXPECT_DOUBLE_EQ(probe_cost(spec, facts()), 16);
}

TEST(Thinning, SparesProbesOfSuccessiveSteps) {
  TrainSpec spec = with_probes(100, {kLandscape, kSketch});
  thin_probes(spec, 5);
  EXPECT_EQ(spec.probes[0].every, 10);
  EXPECT_EQ(spec.probes[1].every, 1);
}

}  // namespace
}  // namespace bnlab
