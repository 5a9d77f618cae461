#include "bnlab/study/report_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using testing::small_dataset;
using testing::small_spec;

Experiment experiment(const std::string& name, std::function<Findings(const Setting&, Results&)> findings) {
  Experiment e;
  e.name = e.title = e.source = e.figure = e.question = name;
  e.what_was_run = [](const Setting&) { return std::vector<std::string>{"a network"}; };
  e.findings = std::move(findings);
  return e;
}

PlannedExperiment planned(const Experiment& experiment) {
  const Setting setting{Scale::kSmoke, facts_of(small_dataset()), {1}};
  Plan plan(setting);
  plan.add("arm", 1, "a run", small_spec("batch"));
  return {experiment, setting, plan};
}

Findings with_a_figure(const Setting&, Results&) {
  Findings findings;
  findings.figures.push_back({});
  return findings;
}

TEST(MakeReport, FindingsThatThrowCostOnlyTheirOwnSection) {
  testing::TempFolder temp(testing::memory_or_disk());
  const auto throws = [](const Setting&, Results&) -> Findings { throw std::runtime_error("there is no such step"); };
  const Json report = make_report({planned(experiment("before", with_a_figure)), planned(experiment("broken", throws)),
                                   planned(experiment("after", with_a_figure))},
                                  temp.path());
  EXPECT_EQ(report["state"], "partial");
  ASSERT_EQ(report["experiments"].size(), 3u);
  const Json& broken = report["experiments"][1];
  EXPECT_EQ(broken["state"], "failed");
  EXPECT_EQ(broken["error"], "there is no such step");
  EXPECT_EQ(broken["what_was_run"], Json::array({"a network"}));
  EXPECT_THAT(broken["notes"].get<std::vector<std::string>>(), Contains(HasSubstr("there is no such step")));
  for (const size_t other : {0u, 2u}) {
    EXPECT_EQ(report["experiments"][other]["state"], "partial");
    EXPECT_TRUE(report["experiments"][other]["error"].is_null());
  }
  EXPECT_EQ(report["figures"].size(), 2u);
}

TEST(MakeReport, ARunThatCannotBeReadIsAFailedRunOfAReportThatStands) {
  testing::TempFolder temp(testing::memory_or_disk());
  const PlannedExperiment one = planned(experiment("one", with_a_figure));
  const auto folder = temp / one.plan.runs().front().id;
  create_run(folder, one.plan.runs().front().spec);
  write_file_atomically(RunPaths{folder}.spec(), "{");
  write_file_atomically(RunPaths{folder}.database(), "no database");
  const Json report = make_report({one}, temp.path());
  EXPECT_EQ(report["runs"][0]["state"], "failed");
  EXPECT_THAT(report["runs"][0]["error"].get<std::string>(), HasSubstr("spec.json"));
  EXPECT_EQ(report["experiments"][0]["state"], "failed");
}

}  // namespace
}  // namespace bnlab
