#include "bnlab/runs/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/runs/small_facts.h"
#include "tests/small_run.h"

namespace bnlab {
namespace {

using testing::facts;
using ::testing::HasSubstr;
using testing::small_dataset;
using testing::small_spec;

TEST(CompleteRunSpec, EqualWorkHasEqualIds) {
  TrainSpec brief = small_spec("batch");
  brief.model.norm.options.clear();
  EXPECT_EQ(run_id(complete_run_spec(brief, facts())), run_id(complete_run_spec(small_spec("batch"), facts())));
  TrainSpec placed = small_spec("none");
  placed.model.norm.place = "after-activation";
  EXPECT_EQ(run_id(complete_run_spec(placed, facts())), run_id(complete_run_spec(small_spec("none"), facts())));
}

TrainSpec complete(const TrainSpec& spec) {
  return std::get<TrainSpec>(complete_run_spec(spec, facts()));
}
TrainSpec full(const TrainSpec& spec) {
  return std::get<TrainSpec>(full_run_spec(spec, facts()));
}

TEST(CompleteRunSpec, LeavesOutWhatIsAtItsDefault) {
  TrainSpec spec = small_spec("batch");
  spec.model.norm.options["eps"] = 1e-3;
  spec.optimizer.name = "adam";
  spec.optimizer.options = {{"beta1", 0.9}, {"beta2", 0.99}};
  spec.probes = {{"activations", 0, 1, false, {{"layers", {1}}, {"images", 128}, {"samples", 100}}},
                 {"accuracy", 0, 1, false, {{"split", "test"}}}};
  const TrainSpec stored = complete(spec);
  EXPECT_EQ(stored.model.options, (Options{{"width", 0.0625}}));
  EXPECT_EQ(stored.model.norm.options, (Options{{"eps", 1e-3}}));
  EXPECT_EQ(stored.optimizer.options, (Options{{"beta2", 0.99}}));
  EXPECT_EQ(stored.probes[0].parameters, (Json{{"layers", {1}}, {"samples", 100}}));
  EXPECT_EQ(stored.probes[1].parameters, Json::object());
}

TEST(CompleteRunSpec, TheFullFormHasEveryDefaultAndMeansTheSame) {
  TrainSpec spec = small_spec("batch");
  spec.probes = {{"ics", 0, 1, false, Json::object()}, {"landscape", 0, 2, false, Json::object()}};
  spec.model.norm.options.clear();
  const TrainSpec all = full(spec);
  EXPECT_EQ(all.model.norm.options,
            (Options{{"affine", 1}, {"beta", 1}, {"eps", 1e-5}, {"gamma", 1}, {"momentum", 0.1}}));
  EXPECT_EQ(all.probes[0].parameters, (Json{{"layers", {1, 2, 3, 4, 5, 6, 7, 8}}}));
  EXPECT_EQ(all.probes[1].parameters, (Json{{"near", 0.5}, {"far", 4.0}, {"points", 8}, {"random", false}}));
  EXPECT_EQ(complete(all), complete(spec));
  EXPECT_EQ(complete(complete(spec)), complete(spec));
  EXPECT_EQ(full(complete(spec)), all);
  EXPECT_EQ(parse_run_spec(to_json(all)), RunSpec(all));
}

TEST(CompleteRunSpec, PaddingToLessThanTheImagesIsNoPadding) {
  TrainSpec spec = small_spec("batch");
  spec.model.name = "resnet20";
  spec.data.pad_to = 8;
  EXPECT_EQ(complete(spec).data.pad_to, 0);
  spec.data.pad_to = 9;
  EXPECT_EQ(complete(spec).data.pad_to, 9);
}

TEST(CompleteRunSpec, AsManyExamplesAsThereAreAreAll) {
  TrainSpec spec = small_spec("batch");
  spec.data.train_examples = facts().train_count;
  EXPECT_EQ(complete(spec).data.train_examples, 0);
  spec.data.train_examples = facts().train_count - 1;
  EXPECT_EQ(complete(spec).data.train_examples, facts().train_count - 1);
}

TEST(CompleteRunSpec, PoolingComesBeforePadding) {
  TrainSpec spec = small_spec("batch");
  spec.model.name = "resnet20";
  spec.data.pool = 2;
  spec.data.pad_to = 4;
  EXPECT_EQ(complete(spec).data.pad_to, 0);
  EXPECT_EQ(task_of(complete(spec), facts()).size, 4);
  spec.data.pad_to = 5;
  EXPECT_EQ(complete(spec).data.pad_to, 5);
  EXPECT_EQ(task_of(complete(spec), facts()).size, 5);
  EXPECT_EQ(TrainingData(small_dataset(), spec).shape().size, 5);
  spec.data.pad_to = 0;
  EXPECT_EQ(TrainingData(small_dataset(), spec).shape().size, 4);
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
  EXPECT_THAT(error([](auto& s) { s.model.norm.options["eps"] = "y"; }), HasSubstr("number"));
  EXPECT_THAT(error([](auto& s) { s.model.name = "dln", s.model.options.clear(); }),
              HasSubstr("model.name: the model dln needs --data linear"));
  EXPECT_THAT(error([](auto& s) { s.data.pad_to = 0; }), HasSubstr("data.pad_to"));
  EXPECT_EQ(error([](auto& s) { s.data.pool = 3; }),
            "data.pool: expected a number that divides the images' height and width of 8, got 3; choose 1, 2, 4 or 8");
  EXPECT_THAT(error([](auto& s) { s.data.pool = 16; }), HasSubstr("data.pool"));
  EXPECT_THAT(error([](auto& s) { s.data.digest = "x"; }), HasSubstr("data"));
  EXPECT_THAT(error([](auto& s) { s.batch = 65; }), HasSubstr("batch"));
  EXPECT_THAT(error([](auto& s) { s.data.train_examples = 65; }),
              HasSubstr("data.train_examples: expected at most the 64"));
  EXPECT_THAT(error([](auto& s) { s.data.train_examples = s.batch - 1; }), HasSubstr("batch: expected at most the"));
  EXPECT_THAT(error([](auto& s) { s.data.draw = 1; }), HasSubstr("data"));
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

TEST(CompleteRunSpec, ProbesOfPlainStepsRefuseOtherOptimizers) {
  const auto error = [](const std::string& probe, const std::function<void(OptimizerSpec&)>& change) -> std::string {
    TrainSpec spec = small_spec("batch");
    spec.probes = {{probe, 0, 1, false, Json::object()}};
    if (probe == "activations" || probe == "moment-changes") spec.probes[0].parameters["layers"] = {1};
    change(spec.optimizer);
    try {
      complete_run_spec(spec, facts());
    } catch (const SpecError& e) {
      return e.what();
    }
    return "accepted";
  };
  for (const char* probe : {"ics", "moment-changes", "landscape", "gradient-sketch"}) {
    EXPECT_EQ(error(probe, [](auto& o) { o.milestones = {3}; }), "accepted") << probe;
    EXPECT_THAT(error(probe, [](auto& o) { o.name = "adam"; }),
                HasSubstr("probes[0]: the probe \"" + std::string(probe) + "\""))
        << probe;
    EXPECT_THAT(error(probe, [](auto& o) { o.name = "adam"; }), HasSubstr("the optimizer adam makes others")) << probe;
    EXPECT_THAT(error(probe, [](auto& o) { o.momentum = 0.9; }), HasSubstr("the optimizer momentum")) << probe;
    EXPECT_THAT(error(probe, [](auto& o) { o.weight_decay = 0.1; }), HasSubstr("sgd with weight decay")) << probe;
  }
  for (const char* probe : {"accuracy", "activations", "bn-theory"}) {
    EXPECT_EQ(error(probe, [](auto& o) { o.name = "adam"; }), "accepted") << probe;
  }
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

}  // namespace
}  // namespace bnlab
