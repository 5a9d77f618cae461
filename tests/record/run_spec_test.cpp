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
  spec.data = {"cifar10", "0123", "none", 32, "flip-crop", 5, 2};
  spec.data.train_examples = 40;
  spec.model = {"vgg16",
                {{"width", 0.25}, {"activation", "tanh"}},
                {"batch", "after-activation", {{"eps", 1e-3}}},
                "glorot-normal",
                2.5};
  spec.optimizer = {"rmsprop", 0.3, 0.9, 5e-4, {10, 20}, 0.2, {{"alpha", 0.5}}, "constant"};
  spec.batch = 7;
  spec.steps = 9;
  spec.seed = 3;
  spec.threads = 2;
  spec.ranks = 3;
  spec.rank_statistics = "local";
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

TEST(RunSpec, TheCanonicalFormMeansTheSame) {
  const RunSpec train = unusual_spec();
  EXPECT_EQ(parse_run_spec(Json::parse(canonical_json(train))), train);
  const RunSpec minimal = parse_run_spec(minimal_train());
  EXPECT_EQ(parse_run_spec(Json::parse(canonical_json(minimal))), minimal);
}

/// Every key of `json`, at every level, by its path.
void list_keys(const Json& json, const std::string& path, std::vector<std::string>& keys) {
  for (const auto& [key, value] : json.items()) {
    keys.push_back(path + key);
    if (value.is_object()) list_keys(value, path + key + ".", keys);
  }
}

TEST(RunSpec, KeysAtTheirDefaultAreLeftOut) {
  std::vector<std::string> keys;
  list_keys(Json::parse(canonical_json(parse_run_spec(minimal_train()))), "", keys);
  EXPECT_THAT(keys, ::testing::UnorderedElementsAre("kind", "data", "data.set", "data.digest", "model", "model.name",
                                                    "optimizer", "optimizer.lr", "steps"));
  TrainSpec spec = unusual_spec();
  spec.probes = {{"p", 0, 1, false, Json::object()}};
  EXPECT_EQ(Json::parse(canonical_json(spec))["probes"], Json::parse(R"([{"name": "p"}])"));
}

TEST(RunSpec, AnExplicitValueThatIsNotTheDefaultStays) {
  // Each key of unusual_spec() is at another value than its default.
  std::vector<std::string> full, canonical;
  list_keys(to_json(unusual_spec()), "", full);
  list_keys(Json::parse(canonical_json(unusual_spec())), "", canonical);
  std::erase(full, "schema");
  std::erase(full, "precision");  // has one value only
  EXPECT_EQ(canonical, full);
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

// These forms and ids may never change: every stored run of such a spec would be lost. (More, of complete specs, in
// tests/runs/stored_ids_test.cpp.)
TEST(RunSpec, CanonicalFormIsPinnedForGood) {
  const AnalysisSpec analysis{"x", Json::object(), {"i"}, 1, 1};
  EXPECT_EQ(canonical_json(analysis), R"({"analysis":"x","inputs":["i"],"kind":"analysis","seed":1,"threads":1})");
  EXPECT_EQ(run_id(analysis), "39de853101dd6e78");
  const RunSpec minimal = parse_run_spec(minimal_train());
  EXPECT_EQ(canonical_json(minimal), R"({"data":{"digest":"d","set":"s"},"kind":"train","model":{"name":"m"},)"
                                     R"("optimizer":{"lr":0.1},"steps":10})");
  EXPECT_EQ(run_id(minimal), "1620b9b186e5f7f5");
  TrainSpec unusual = unusual_spec();
  unusual.data.train_examples = 0;  // keys that are younger
  unusual.ranks = 1;
  unusual.rank_statistics = "synchronized";
  EXPECT_EQ(
      canonical_json(unusual),
      R"({"batch":7,"data":{"augment":"flip-crop","digest":"0123","draw":5,"pad_to":32,"pool":2,"scaling":"none",)"
      R"("set":"cifar10"},"divergence_loss":null,"kind":"train","memory_format":"contiguous","model":{"init":)"
      R"("glorot-normal","init_scale":2.5,"name":"vgg16","norm":{"kind":"batch","options":{"eps":0.001},"place":"after-activation"},)"
      R"("options":{"activation":"tanh","width":0.25}},"optimizer":{"factor":0.2,"lr":0.3,"milestones":[10,20],)"
      R"("momentum":0.9,"name":"rmsprop","options":{"alpha":0.5},"schedule":"constant","weight_decay":0.0005},)"
      R"("probe_budget":0.05,"probes":[{"at_end":true,"every":5,"from":1,"name":"p","parameters":{"layers":[1,2]}}],)"
      R"("seed":3,"steps":9,"threads":2,"trajectory":{"dims":16,"every":3,"keep":"projection"}})");
  EXPECT_EQ(run_id(unusual), "c11e979a4407e390");
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
        BadSpec{R"({"data": {"scaling": "zscore"}})", "data.scaling",
                "none, z-score, min-max, equalize or equalize-image"},
        BadSpec{R"({"model": {"norm": {"place": "x"}}})", "model.norm.place", "before-activation"},
        BadSpec{R"({"model": {"norm": {"options": {"eps": true}}}})", "model.norm.options.eps", "a number or a word"},
        BadSpec{R"({"model": {"init_scale": 0}})", "model.init_scale", "above 0"},
        BadSpec{R"({"model": {"options": 3}})", "model.options", "an object of numbers and words"},
        BadSpec{R"({"data": {"pool": 0}})", "data.pool", "1 to 4096, got 0"},
        BadSpec{R"({"data": {"draw": -1}})", "data.draw", "at least 0"},
        BadSpec{R"({"data": {"pad_to": -1}})", "data.pad_to", "0 to 4096"},
        BadSpec{R"({"optimizer": {"weight_decay": -1}})", "optimizer.weight_decay", "at least 0"},
        BadSpec{R"({"optimizer": {"factor": 0}})", "optimizer.factor", "above 0"},
        BadSpec{R"({"threads": 1025})", "threads", "0 (by rule) to 1024"},
        BadSpec{R"({"probes": [{"name": "p", "parameters": []}]})", "probes[0].parameters", "a JSON object"},
        BadSpec{R"({"probes": [{"every": 1}]})", "probes[0].name", "is missing"},
        BadSpec{R"({"trajectory": {"dims": 5000}})", "trajectory.dims", "1 to 4096"},
        BadSpec{R"({"probe_budget": 2})", "probe_budget", "at most 1"},
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
