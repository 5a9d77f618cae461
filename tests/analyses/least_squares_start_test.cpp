// Lemma 4.5's two sides on a small image task: against the formula of the proof, and against another model.
#include "bnlab/analyses/least_squares_start.h"

#include <gtest/gtest.h>

#include "bnlab/train/trainer.h"
#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

TEST(LeastSquaresStart, RecordsBothSidesOfTheLemma) {
  testing::TempFolder temp;
  const TrainSpec spec = testing::small_spec("none", 1);
  create_run(temp / "input", spec);
  {
    RunWriter writer(temp / "input", "test");
    train(writer, TrainingData(testing::small_dataset(), spec), {}, {});
  }
  const AnalysisSpec analysis{"least-squares-start", {{"starts", 40}}, {"input"}, 5, 1};
  create_run(temp / "analysis", analysis);
  {
    RunWriter writer(temp / "analysis", "test");
    Recorder recorder(writer, analysis.analysis);
    std::vector<std::unique_ptr<RunReader>> inputs;
    inputs.push_back(std::make_unique<RunReader>(temp / "input"));
    const auto data = [&](const TrainSpec& input) { return TrainingData(testing::small_dataset(), input); };
    least_squares_start_analysis().compute({analysis, inputs, data, recorder, {}});
    writer.finish(0, "", -1);
  }
  RunReader reader(temp / "analysis");
  const auto arrays = [&](const char* name) { return reader.arrays({"least-squares-start", 0, name}); };
  const auto closest = arrays("closest"), bound = arrays("bound"), plain = arrays("plain"), meets = arrays("meets");
  ASSERT_EQ(closest.size(), 4U) << "a problem a class";
  int64_t met = 0;
  for (size_t c = 0; c < closest.size(); ++c) {
    const auto left = closest[c].as_doubles(), right = bound[c].as_doubles(), far = plain[c].as_doubles(),
               does = meets[c].as_doubles();
    ASSERT_EQ(left.size(), 40U);
    for (size_t i = 0; i < left.size(); ++i) {
      // With |W*| = 1: far = |W0|² - 2p + 1 and the left side is |W0|² - p² for p > 0, else |W0|², p = <W0, W*>.
      if (does[i] == 1) {
        EXPECT_NEAR(left[i], right[i], 1e-8);
        EXPECT_LE(left[i], far[i] + 1e-9);
        ++met;
      } else {
        EXPECT_GT(left[i], right[i]) << "the search stays on the ray";
        EXPECT_LT(left[i], far[i]);
      }
    }
  }
  EXPECT_GT(met, 40);
  EXPECT_LT(met, 120);
  for (const char* name : {"optimum_gradient", "excess"}) {
    for (const double value : reader.scalars({"least-squares-start", 0, name}).values) EXPECT_LT(value, 1e-7) << name;
  }
}

}  // namespace
}  // namespace bnlab
