#include "bnlab/record/run_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bnlab {
namespace {

using ::testing::HasSubstr;

Json minimal_train() {
  return Json::parse(R"({"kind": "train", "data": {"set": "s", "digest": "d"}, "model": {"name": "m"},
                         "optimizer": {"lr": 0.1}, "steps": 10})");
}

TrainSpec unusual_spec() {
  TrainSpec spec;
  spec.data = {"cifar10", "0123", "none", 32, "flip-crop", 2, 5};
  spec.model = {"vgg16", {{"width", 0.25}}, {"batch", "after-activation", {{"eps", 1e-3}}}, "glorot-normal"};
  spec.optimizer = {"sgd", 0.3, 0.9, 5e-4, {10, 20}, 0.2};
  spec.batch = 7;
  spec.steps = 9;
  spec.seed = 3;
  spec.threads = 2;
  spec.memory_format = "contiguous";
  spec.divergence_loss = std::nullopt;
  spec.probe_budget = 0.05;
  spec.probes = {{"p", 1, 5, true, {{"layers", {1, 2}}}}};
  spec.trajectory = {"projection", 3, 16};
  return spec;
}

TEST(RunSpec, EveryFieldSurvivesTheWayThroughJson) {
  const RunSpec train = unusual_spec();
  EXPECT_EQ(parse_run_spec(to_json(train)), train);
  const RunSpec analysis = AnalysisSpec{"a", {{"k", 1}}, {"id1", "id2"}, 4, 2};
  EXPECT_EQ(parse_run_spec(to_json(analysis)), analysis);
}

TEST(RunSpec, AbsentKeysTakeTheDefaultsOfTheStruct) {
  const auto spec = std::get<TrainSpec>(parse_run_spec(minimal_train()));
  EXPECT_EQ(spec.batch, TrainSpec{}.batch);
  EXPECT_EQ(spec.divergence_loss, TrainSpec{}.divergence_loss);
  EXPECT_EQ(spec.model.norm, NormSpec{});
}

TEST(RunSpec, IdDependsOnContentAndNotOnKeyOrder) {
  const Json a = Json::parse(R"({"kind":"analysis","analysis":"x","seed":1})");
  const Json b = Json::parse(R"({"seed":1,"analysis":"x","kind":"analysis"})");
  EXPECT_EQ(run_id(parse_run_spec(a)), run_id(parse_run_spec(b)));
  Json c = b;
  c["seed"] = 2;
  EXPECT_NE(run_id(parse_run_spec(b)), run_id(parse_run_spec(c)));
}

// A changed id orphans every stored run: it must not change by accident.
TEST(RunSpec, CanonicalFormIsPinned) {
  EXPECT_EQ(canonical_json(AnalysisSpec{"x", Json::object(), {"i"}, 1, 1}),
            R"({"analysis":"x","inputs":["i"],"kind":"analysis","parameters":{},"schema":1,"seed":1,"threads":1})");
  EXPECT_EQ(run_id(AnalysisSpec{"x", Json::object(), {"i"}, 1, 1}), "1e3b8f0dd3ffe2a7");
}

struct BadSpec {
  const char* patch;  // merged into the minimal spec
  const char* key;    // that the error must name
  const char* says;
};

void PrintTo(const BadSpec& spec, std::ostream* out) {
  *out << spec.key << ": " << spec.says;
}

class RunSpecErrors : public ::testing::TestWithParam<BadSpec> {};

TEST_P(RunSpecErrors, NameTheKey) {
  Json json = minimal_train();
  json.merge_patch(Json::parse(GetParam().patch));
  try {
    parse_run_spec(json);
    FAIL() << "accepted " << json;
  } catch (const SpecError& error) {
    EXPECT_EQ(error.key(), GetParam().key) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(GetParam().says));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, RunSpecErrors,
    ::testing::Values(
        BadSpec{R"({"stepz": 1})", "stepz", "did you mean \"steps\"?"},
        BadSpec{R"({"optimizer": {"lrate": 1}})", "optimizer.lrate", "no known key"},
        BadSpec{R"({"steps": "ten"})", "steps", "whole number, got \"ten\""},
        BadSpec{R"({"steps": 1.5})", "steps", "whole number"}, BadSpec{R"({"steps": 0})", "steps", "at least 1, got 0"},
        BadSpec{R"({"steps": null})", "steps", "is missing"}, BadSpec{R"({"batch": -1})", "batch", "1 to 1000000"},
        BadSpec{R"({"seed": 18446744073709551615})", "seed", "below 2^63"},
        BadSpec{R"({"optimizer": {"lr": 0}})", "optimizer.lr", "above 0"},
        BadSpec{R"({"optimizer": {"momentum": 1}})", "optimizer.momentum", "below 1"},
        BadSpec{R"({"optimizer": {"milestones": [5, 5]}})", "optimizer.milestones", "rising"},
        BadSpec{R"({"optimizer": {"milestones": [5, "x"]}})", "optimizer.milestones[1]", "whole number"},
        BadSpec{R"({"optimizer": 3})", "optimizer", "JSON object"},
        BadSpec{R"({"data": {"scaling": "zscore"}})", "data.scaling", "none or z-score"},
        BadSpec{R"({"model": {"norm": {"place": "x"}}})", "model.norm.place", "before-activation"},
        BadSpec{R"({"model": {"norm": {"options": {"eps": "y"}}}})", "model.norm.options.eps", "number"},
        BadSpec{R"({"divergence_loss": -3})", "divergence_loss", "above 0"},
        BadSpec{R"({"probes": [{"name": "p", "every": 0}]})", "probes[0].every", "at least 1"},
        BadSpec{R"({"probes": {}})", "probes", "a list"}, BadSpec{R"({"probe_budget": 0})", "probe_budget", "above 0"},
        BadSpec{R"({"trajectory": {"keep": "all"}})", "trajectory.keep", "none, weights or projection"},
        BadSpec{R"({"schema": 2})", "schema", "the only one"},
        BadSpec{R"({"kind": "test"})", "kind", "train or analysis"}));

TEST(RunSpec, ScheduleCountsFromItsStart) {
  const ProbeSpec probe{"p", 3, 4, false, {}};
  std::vector<int64_t> shown;
  for (int64_t step = 0; step < 12; ++step) {
    if (probe.wants(step)) shown.push_back(step);
  }
  EXPECT_THAT(shown, ::testing::ElementsAre(3, 7, 11));
}

}  // namespace
}  // namespace bnlab
