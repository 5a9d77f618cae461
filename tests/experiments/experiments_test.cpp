#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "bnlab/experiments/experiment_list.h"
#include "bnlab/experiments/measures.h"
#include "bnlab/experiments/report_data.h"
#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using ::testing::HasSubstr;
using testing::small_dataset;
using testing::small_spec;

DataFacts facts() {
  return facts_of(small_dataset());
}

TEST(CompleteRunSpec, EqualWorkHasEqualIds) {
  TrainSpec brief = small_spec("batch");
  brief.model.norm.options.clear();
  EXPECT_EQ(run_id(complete_run_spec(brief, facts())), run_id(complete_run_spec(small_spec("batch"), facts())));
  TrainSpec placed = small_spec("none");
  placed.model.norm.place = "after-activation";
  EXPECT_EQ(run_id(complete_run_spec(placed, facts())), run_id(complete_run_spec(small_spec("none"), facts())));
}

TEST(CompleteRunSpec, ImpossibleSpecsNameTheKey) {
  const auto error = [](const std::function<void(TrainSpec&)>& spoil) -> std::string {
    TrainSpec spec = small_spec("batch");
    spoil(spec);
    try {
      complete_run_spec(spec, facts());
    } catch (const SpecError& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_THAT(error([](auto& s) { s.model.name = "vgg12"; }), HasSubstr("known: vgg11, vgg16"));
  EXPECT_THAT(error([](auto& s) { s.model.norm.kind = "bach"; }), HasSubstr("model.norm.kind"));
  EXPECT_THAT(error([](auto& s) { s.model.norm.options["eps"] = -1; }), HasSubstr("eps"));
  EXPECT_THAT(error([](auto& s) { s.model.options["widht"] = 1; }), HasSubstr("no option \"widht\""));
  EXPECT_THAT(error([](auto& s) { s.data.pad_to = 0; }), HasSubstr("data.pad_to"));
  EXPECT_THAT(error([](auto& s) { s.data.digest = "x"; }), HasSubstr("data"));
  EXPECT_THAT(error([](auto& s) { s.batch = 65; }), HasSubstr("batch"));
  EXPECT_THAT(error([](auto& s) { s.probes = {{"nope", 0, 1, false, {}}}; }), HasSubstr("known: accuracy"));
  EXPECT_THAT(error([](auto& s) {
                s.probes = {{"activations", 0, 1, false, {{"layers", {99}}}}};
              }),
              HasSubstr("probes[0].parameters.layers"));
  EXPECT_THAT(error([](auto& s) {
                s.probes = {{"ics", 0, 1, false, {{"layers", {1}}}}, {"ics", 0, 1, false, {{"layers", {2}}}}};
              }),
              HasSubstr("probes[1]: would overwrite what probes[0] records"));
  EXPECT_EQ(
      error([](auto& s) {
        s.probes = {{"accuracy", 0, 1, false, {{"split", "test"}}}, {"accuracy", 0, 1, false, {{"split", "train"}}}};
      }),
      "accepted");
}

TEST(CompleteRunSpec, ThreadsComeFromTheSpecAlone) {
  TrainSpec small = small_spec("batch");
  small.threads = 0;
  EXPECT_EQ(threads_of(complete_run_spec(small, facts())), 1);
  TrainSpec large = small;
  large.model.name = "vgg16";
  large.model.options["width"] = 2;
  large.batch = 64;
  EXPECT_GT(threads_of(complete_run_spec(large, facts())), 1);
}

TEST(Measures, ClosedForms) {
  EXPECT_DOUBLE_EQ(spearman({1, 2, 3}, {10, 1000, 2000}), 1);
  EXPECT_DOUBLE_EQ(spearman({1, 2, 3}, {9, 4, 1}), -1);
  EXPECT_DOUBLE_EQ(spearman({1, 2, 2, 4}, {1, 3, 2, 4}), std::sqrt(0.9));  // scipy.stats.spearmanr: 0.9486833
  EXPECT_TRUE(std::isnan(spearman({1, 2}, {5, 5})));
  EXPECT_TRUE(std::isnan(spearman({1, NAN, 3}, {1, 2, 3})));
  EXPECT_DOUBLE_EQ(wasserstein1({0, 1, 2}, {1, 2, 3}), 1);
  EXPECT_DOUBLE_EQ(wasserstein1({0, 0}, {-1, 3}), 2);
  EXPECT_TRUE(std::isnan(wasserstein1({0}, {1, 2})));
  EXPECT_DOUBLE_EQ(mean_over({1, 2, 3, 4}, {1, 3}), 2.5);
  EXPECT_TRUE(std::isnan(mean_over({1, 2}, {1, 3})));
  EXPECT_THAT(smoothed({1, 3, 5, 7}, 2), ::testing::ElementsAre(1, 2, 4, 6));
}

TEST(Measures, AnArmOnItsPlateauHasNotLearned) {
  EXPECT_TRUE(have_learned("n", {{"a", {0.5, 0.3}}}, 10).holds);
  EXPECT_FALSE(have_learned("n", {{"a", {0.5, 0.15}}}, 10).holds);
  EXPECT_FALSE(have_learned("n", {{"a", {0.5, NAN}}}, 10).holds);
  EXPECT_THAT(have_learned("n", {{"the arm", {0.5, 0.15}}}, 10).detail, HasSubstr("the arm"));
}

TEST(Measures, ADivergedRunGuessesFromThereOn) {
  testing::TempFolder temp;
  const TrainSpec spec = small_spec("none", 5);
  create_run(temp / "run", spec);
  {
    RunWriter writer(temp / "run", "f");
    for (int64_t step = 0; step < 3; ++step) writer.scalar(step, {"train", 0, "accuracy"}, 0.9);
    writer.finish(2, "x", 2);
  }
  RunReader reader(temp / "run");
  EXPECT_THAT(training_accuracy(reader, 4), ::testing::ElementsAre(0.9, 0.9, 0.25, 0.25, 0.25));
}

TEST(SelectExperiments, PatternsAndTypos) {
  EXPECT_EQ(select_experiments("").size(), experiments().size());
  EXPECT_EQ(select_experiments("santurkar-*").front().name, "santurkar-fig1");
  EXPECT_THROW(select_experiments("santurkar-fig99"), std::invalid_argument);
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
  testing::TempFolder temp;
  const Setting setting{Scale::kSmoke, facts(), {0, 1, 2}};
  const Json report = make_report({{experiment(), setting, experiment().plan(setting)}}, temp.path());
  EXPECT_EQ(report["state"], "partial");
  EXPECT_FALSE(report["claims"].empty());
  for (const auto& claim : report["claims"]) {
    EXPECT_EQ(claim["verdict"], "undecided");
    EXPECT_TRUE(claim["effect"].is_null());
    EXPECT_THAT(claim["reason"].get<std::string>(), HasSubstr("missing"));
  }
}

TEST_P(EveryExperiment, SaysWhatItIs) {
  const Experiment& e = experiment();
  for (const auto& text : {e.name, e.title, e.source, e.figure, e.question}) EXPECT_FALSE(text.empty());
  EXPECT_FALSE(e.rows.empty());
  EXPECT_FALSE(e.what_was_run({Scale::kQuick, facts(), {0}}).empty());
}

INSTANTIATE_TEST_SUITE_P(All, EveryExperiment, ::testing::Range<size_t>(0, experiments().size()), [](const auto& info) {
  std::string name = experiments()[info.param].name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace bnlab
