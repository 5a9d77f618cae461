#include "bnlab/serve/changed_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bnlab {
namespace {

using ::testing::HasSubstr;

TrainSpec base() {
  TrainSpec spec;
  spec.data = {"fashion-mnist", "0123456789abcdef"};
  spec.model.name = "vgg11";
  spec.model.norm.kind = "lp";
  spec.model.norm.options = {{"p", 1}};
  spec.optimizer.milestones = {10, 20};
  spec.steps = 30;
  spec.threads = 1;
  return spec;
}

std::string problem(const RunSpec& spec, const Json& changes) {
  try {
    changed_spec(spec, changes);
  } catch (const SpecError& error) {
    return error.what();
  }
  return "";
}

TEST(ChangedSpec, ChangesWhatIsNamedAndNothingElse) {
  TrainSpec expected = base();
  expected.optimizer.lr = 0.5;
  expected.batch = 32;
  expected.seed = 9;
  EXPECT_EQ(changed_spec(base(), {{"optimizer.lr", 0.5}, {"batch", 32}, {"seed", 9}}), expected);
}

TEST(ChangedSpec, AnotherNormalizationHasNoneOfTheOptionsOfThisOne) {
  const TrainSpec changed = changed_spec(base(), {{"model.norm.kind", "batch"}});
  EXPECT_EQ(changed.model.norm.kind, "batch");
  EXPECT_TRUE(changed.model.norm.options.empty());
  EXPECT_EQ(changed_spec(base(), {{"model.norm.kind", "lp"}, {"seed", 2}}).model.norm.options,
            base().model.norm.options);
}

TEST(ChangedSpec, FewerStepsHaveNoMilestonesBeyondThem) {
  EXPECT_EQ(changed_spec(base(), {{"steps", 15}}).optimizer.milestones, std::vector<int64_t>{10});
}

TEST(ChangedSpec, RefusesWhatCannotBe) {
  EXPECT_THAT(problem(base(), Json::object()), HasSubstr("changes: expected some of optimizer.lr"));
  EXPECT_THAT(problem(base(), Json::array({1})), HasSubstr("changes"));
  EXPECT_THAT(problem(base(), {{"threads", 7}}), HasSubstr("threads: cannot be changed here"));
  EXPECT_THAT(problem(base(), {{"data/digest", "x"}}), HasSubstr("cannot be changed here"));
  EXPECT_THAT(problem(base(), {{"optimizer.lr", -1}}), HasSubstr("optimizer.lr"));
  EXPECT_THAT(problem(base(), {{"optimizer.lr", "fast"}}), HasSubstr("optimizer.lr"));
  EXPECT_THAT(problem(base(), {{"batch", 0}}), HasSubstr("batch"));
  EXPECT_THAT(problem(AnalysisSpec{"none", Json::object(), {}, 0, 1}, {{"seed", 1}}),
              HasSubstr("only runs that train"));
}

}  // namespace
}  // namespace bnlab
