// That probes keep their budget: the arithmetic with given costs, and a run whose probe costs far too much.
#include "bnlab/train/probe_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "bnlab/train/trainer.h"
#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using ::testing::ElementsAre;

TEST(LeastThinning, IsTheSmallestThatKeepsTheBudget) {
  const std::vector<ProbeCost> costs = {{0, 100, 0.1, true}, {0, 50, 0.2, true}};  // 20 s in all
  EXPECT_EQ(least_thinning(costs, 20), 1);
  EXPECT_EQ(least_thinning(costs, 19.9), 2);
  EXPECT_EQ(least_thinning(costs, 10), 2);
  for (const double seconds : {0.4, 1.0, 3.3, 7.0, 19.0}) {
    const int64_t n = least_thinning(costs, seconds);
    EXPECT_LE(cost_at(costs, n), seconds);
    for (int64_t less = 1; less < n; ++less) EXPECT_GT(cost_at(costs, less), seconds);
  }
  EXPECT_EQ(least_thinning({}, 0), 1);
}

// Numbers 5 to 99 are still to come: 10, 20 … are 9 of them.
TEST(LeastThinning, CountsTheLooksThatAreStillToCome) {
  const std::vector<ProbeCost> costs = {{5, 100, 1, true}};
  EXPECT_DOUBLE_EQ(cost_at(costs, 10), 9);
  EXPECT_DOUBLE_EQ(cost_at(costs, 1), 95);
  EXPECT_EQ(cost_at(costs, least_thinning(costs, 0)), 0) << "nothing more, if there is no time for anything";
}

TEST(LeastThinning, ProbesOfSuccessiveStepsSeeThemAllAndOthersPay) {
  const std::vector<ProbeCost> costs = {{0, 100, 0.1, true}, {0, 100, 0.02, false}};
  EXPECT_EQ(least_thinning(costs, 3), 10);  // 2 s are spent whatever n is
  EXPECT_DOUBLE_EQ(cost_at(costs, 10), 3);
}

void compute(std::chrono::duration<double> time) {
  for (const double end = cpu_seconds() + time.count(); cpu_seconds() < end;) {
  }
}

/// Takes 20 ms for each look, by `work`.
class Slow final : public StepObserver {
 public:
  using Work = std::function<void(std::chrono::milliseconds)>;
  Slow(Work work, bool may_skip, std::vector<int64_t>& seen)
      : work_(std::move(work)), may_skip_(may_skip), seen_(seen) {}
  const std::string& name() const override { return name_; }
  bool wants(int64_t) const override { return true; }
  bool may_skip() const override { return may_skip_; }
  void observe(const StepView& view) override {
    work_(std::chrono::milliseconds(20));
    view.recorder.scalar(view.step, 0, "seen", 1);
    seen_.push_back(view.step);
  }

 private:
  std::string name_ = "slow";
  Work work_;
  bool may_skip_;
  std::vector<int64_t>& seen_;
};

class Budget : public ::testing::Test {
 protected:
  /// Trains 40 steps in `folder`, or until step `until`; returns the steps that a slow probe saw.
  std::vector<int64_t> run(const std::string& folder, std::optional<double> budget, bool may_skip, int64_t until = 1000,
                           const Slow::Work& work = compute) {
    TrainSpec spec = testing::small_spec("batch", 40);
    spec.probe_budget = budget;
    create_run(temp_ / folder, spec);
    RunWriter writer(temp_ / folder, "test");
    std::vector<int64_t> seen;
    std::vector<std::unique_ptr<StepObserver>> observers;
    observers.push_back(std::make_unique<Slow>(work, may_skip, seen));
    std::atomic<bool> stop{false};
    ExecutionOptions options;
    options.stop = &stop;
    options.progress = [&](int64_t step, int64_t, double) { stop = step >= until; };
    train(writer, TrainingData(testing::small_dataset(), spec), std::move(observers), options);
    return seen;
  }
  std::vector<int64_t> recorded(const std::string& folder) {
    return RunReader(temp_ / folder).scalars({"slow", 0, "seen"}).steps;
  }
  Json schedule(const std::string& folder) { return Json::parse(RunReader(temp_ / folder).meta("probe_schedule")); }
  testing::TempFolder temp_;
};

TEST_F(Budget, WithoutOneAProbeSeesWhatItWants) {
  EXPECT_EQ(run("all", std::nullopt, true).size(), 40U);
  EXPECT_EQ(RunReader(temp_ / "all").meta("probe_schedule"), "");
}

TEST_F(Budget, AProbeThatCostsTooMuchSeesNothingAfterTheFirstSteps) {
  run("little", 0.01, true);
  EXPECT_THAT(recorded("little"), ElementsAre(0, 1, 2, 3));  // four looks cost more than the budget already
  EXPECT_EQ(schedule("little").at("every").get<int64_t>(), 40);
  EXPECT_GT(schedule("little").at("expected").get<double>(), 0.01);
  run("needs all", 0.01, false);
  EXPECT_EQ(recorded("needs all").size(), 40U);
}

TEST_F(Budget, WhatCountsIsProcessorTime) {
  run("waits", 0.5, true, 1000, [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); });
  EXPECT_EQ(recorded("waits").size(), 40U);
  const double spent = Json::parse(RunReader(temp_ / "waits").meta("probe_seconds")).at("slow").get<double>();
  EXPECT_LT(spent, 0.4) << "of 0.8 s on the clock";
}

TEST_F(Budget, EnoughForEverythingChangesNothing) {
  run("rich", 1, true, 1000, [](std::chrono::milliseconds) {});  // 1 is the largest budget
  EXPECT_EQ(recorded("rich").size(), 40U);
  EXPECT_EQ(schedule("rich").at("every").get<int64_t>(), 1);
}

// Whatever n came out of the measurement, the run goes on with it, and the network is that of a run without probes.
TEST_F(Budget, ResumedARunKeepsItsSchedule) {
  run("pieces", 0.05, true, 2);  // before it is chosen: the resumed process begins to time steps anew
  EXPECT_EQ(RunReader(temp_ / "pieces").meta("probe_schedule"), "");
  run("pieces", 0.05, true, 9);
  const auto every = schedule("pieces").at("every").get<int64_t>(), from = schedule("pieces").at("from").get<int64_t>();
  EXPECT_GT(every, 1);
  EXPECT_GT(from, 5);
  run("pieces", 0.05, true, 20);
  run("pieces", 0.05, true);
  EXPECT_EQ(schedule("pieces").at("every").get<int64_t>(), every);
  std::vector<int64_t> expected;
  for (int64_t step = 0; step < 40; ++step) {
    if (step < from || step % every == 0) expected.push_back(step);
  }
  EXPECT_EQ(recorded("pieces"), expected);
  run("bare", std::nullopt, true);
  EXPECT_EQ(RunReader(temp_ / "pieces").scalars({"train", 0, "loss"}).values,
            RunReader(temp_ / "bare").scalars({"train", 0, "loss"}).values);
}

}  // namespace
}  // namespace bnlab
