#include "bnlab/analyses/evaluation.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bnlab/train/checkpoint.h"
#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using testing::small_dataset;
using testing::small_spec;

/// Trains `spec` in `folder`, evaluates it by the analysis, and returns {accuracy, loss}.
std::pair<double, double> train_and_evaluate(const std::filesystem::path& folder, const TrainSpec& spec) {
  create_run(folder / "input", spec);
  {
    RunWriter writer(folder / "input", "test");
    train(writer, TrainingData(small_dataset(), spec), {}, {});
  }
  const AnalysisSpec analysis{"evaluation", {{"split", "test"}}, {"input"}, 0, 1};
  create_run(folder / "analysis", analysis);
  RunWriter writer(folder / "analysis", "test");
  Recorder recorder(writer, "evaluation");
  std::vector<std::unique_ptr<RunReader>> inputs;
  inputs.push_back(std::make_unique<RunReader>(folder / "input"));
  const auto data = [](const TrainSpec& input) { return TrainingData(small_dataset(), input); };
  evaluation_analysis().compute({analysis, inputs, data, recorder, {}});
  writer.finish(0, "", -1);
  RunReader reader(folder / "analysis");
  return {*reader.scalar_at({"evaluation", 0, "accuracy"}, 0), *reader.scalar_at({"evaluation", 0, "loss"}, 0)};
}

TEST(Evaluation, AgreesWithTheAccuracyOfTheWholeTestSplit) {
  testing::TempFolder temp;
  const TrainSpec spec = small_spec("batch", 20);
  const auto [accuracy, loss] = train_and_evaluate(temp.path(), spec);
  const auto network = build_network(spec, TrainingData(small_dataset(), spec).shape());
  load_network(read_file(RunPaths{temp / "input"}.checkpoint()), *network);
  network->eval();
  at::NoGradGuard no_grad;
  const Batch batch = TrainingData(small_dataset(), spec).evaluation_loader(false, 40).next();
  const at::Tensor right = network->forward(batch.x).argmax(1).eq(batch.y);
  EXPECT_DOUBLE_EQ(accuracy, static_cast<double>(right.sum().item<int64_t>()) / 40);
  EXPECT_TRUE(std::isfinite(loss));
}

TEST(Evaluation, ADivergedRunGuesses) {
  testing::TempFolder temp;
  TrainSpec spec = small_spec("none", 50);
  spec.optimizer.lr = 1e6;
  const auto [accuracy, loss] = train_and_evaluate(temp.path(), spec);
  EXPECT_DOUBLE_EQ(accuracy, 0.25);
  EXPECT_DOUBLE_EQ(loss, std::log(4));
}

TEST(Evaluation, TakesExactlyOneRun) {
  const auto kind = evaluation_analysis();
  EXPECT_THROW(kind.complete({"evaluation", Json::object(), {}, 0, 1}), SpecError);
  EXPECT_THROW(kind.complete({"evaluation", {{"split", "x"}}, {"a"}, 0, 1}), SpecError);
  EXPECT_EQ(kind.complete({"evaluation", Json::object(), {"a"}, 0, 1}), Json({{"split", "test"}}));
}

}  // namespace
}  // namespace bnlab
