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
