#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "bnlab/experiments/experiment_list.h"
#include "bnlab/study/report_data.h"
#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using ::testing::HasSubstr;
using testing::small_dataset;

DataFacts facts() {
  return facts_of(small_dataset());
}

TEST(SelectExperiments, PatternsAndTypos) {
  EXPECT_EQ(select_experiments("").size(), experiments().size());
  EXPECT_EQ(select_experiments("santurkar-*").front().name, "santurkar-fig1");
  EXPECT_THROW(select_experiments("santurkar-fig99"), std::invalid_argument);
}

TEST(LinearNetwork, EverySeedHasItsOwnTask) {
  const Setting setting{Scale::kSmoke, facts(), {1, 2, 3}};
  std::set<std::string> tasks;
  const Plan plan = select_experiments("dln-ics").front().plan(setting);
  for (const auto& run : plan.runs()) {
    if (const auto* train = std::get_if<TrainSpec>(&run.spec)) tasks.insert(train->data.digest);
  }
  EXPECT_EQ(tasks.size(), 3u);
}

TEST(Experiments, StandInTheOrderOfTheTour) {
  EXPECT_TRUE(std::is_sorted(experiments().begin(), experiments().end(),
                             [](const Experiment& a, const Experiment& b) { return a.stop.chapter < b.stop.chapter; }));
}

class EveryExperiment : public ::testing::TestWithParam<size_t> {
 protected:
  const Experiment& experiment() const { return experiments()[GetParam()]; }
};

TEST_P(EveryExperiment, PlansPairedArmsAtEveryScale) {
  for (const Scale scale : all_scales()) {
    DataFacts data = facts();
    data.train_count = 50000;
    const Plan plan = experiment().plan({scale, data, {0, 1, 2}});
    std::set<std::string> ids;
    std::map<std::string, std::set<int64_t>> arms;
    for (const auto& run : plan.runs()) {
      EXPECT_TRUE(ids.insert(run.id).second) << run.title << " is planned twice";
      EXPECT_EQ(run.id, run_id(run.spec));
      arms[run.arm].insert(run.seed);
    }
    for (const auto& [arm, seeds] : arms) EXPECT_EQ(seeds, (std::set<int64_t>{0, 1, 2})) << arm;
  }
}

TEST_P(EveryExperiment, ReportsBeforeAnyRunIsDone) {
  testing::TempFolder temp(testing::memory_or_disk());
  const Setting setting{Scale::kSmoke, facts(), {0, 1, 2}};
  const Json report = make_report({{experiment(), setting, experiment().plan(setting)}}, temp.path());
  EXPECT_EQ(report["state"], "partial");
  EXPECT_FALSE(report["claims"].empty());
  const std::string headline = report["experiments"][0]["headline"];
  bool headline_is_a_claim = headline.empty();
  for (const auto& claim : report["claims"]) {
    headline_is_a_claim |= claim["id"] == headline && claim["rank"] == "primary";
    EXPECT_EQ(claim["verdict"], "undecided");
    EXPECT_TRUE(claim["effect"].is_null());
    EXPECT_THAT(claim["reason"].get<std::string>(), HasSubstr("missing"));
  }
  EXPECT_TRUE(headline_is_a_claim) << headline;
}

TEST_P(EveryExperiment, SaysWhatItIs) {
  const Experiment& e = experiment();
  for (const auto& text : {e.name, e.title, e.source, e.figure, e.question, e.stop.plainly}) EXPECT_FALSE(text.empty());
  EXPECT_FALSE(e.rows.empty());
  EXPECT_EQ(e.stop.headline.empty(), e.stop.in_short.empty());
  EXPECT_FALSE(e.what_was_run({Scale::kQuick, facts(), {0}}).empty());
}

INSTANTIATE_TEST_SUITE_P(All, EveryExperiment, ::testing::Range<size_t>(0, experiments().size()), [](const auto& info) {
  std::string name = experiments()[info.param].name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace bnlab
