#include "bnlab/analyses/scaled_inputs.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using testing::small_dataset;
using testing::small_spec;

TrainSpec scaled_by(const std::string& scaling) {
  TrainSpec spec = small_spec("none", 1);
  spec.data.scaling = scaling;
  return spec;
}

/// The analysis of a run with that scaling.
std::unique_ptr<RunReader> analysed(const std::filesystem::path& folder, const std::string& scaling) {
  const TrainSpec spec = scaled_by(scaling);
  const AnalysisSpec analysis{"scaled-inputs", Json::object(), {"input"}, 5, 1};
  create_run(folder / "input", spec);
  RunWriter(folder / "input", "test").finish(0, "", -1);
  create_run(folder / "analysis", analysis);
  {
    RunWriter writer(folder / "analysis", "test");
    Recorder recorder(writer, analysis.analysis);
    std::vector<std::unique_ptr<RunReader>> inputs;
    inputs.push_back(std::make_unique<RunReader>(folder / "input"));
    const auto data = [&](const TrainSpec& input) { return TrainingData(small_dataset(), input); };
    scaled_inputs_analysis().compute({analysis, inputs, data, recorder, {}});
    writer.finish(0, "", -1);
  }
  return std::make_unique<RunReader>(folder / "analysis");
}

std::vector<double> table_column(RunReader& run, int64_t column) {
  const auto records = run.arrays({"scaled-inputs", column, "table"});
  return records.empty() ? std::vector<double>() : records.front().as_doubles();
}

TEST(ScaledInputs, AreThoseThatTheNetworkGets) {
  for (const char* scaling : {"none", "z-score", "min-max", "equalize", "equalize-image"}) {
    SCOPED_TRACE(scaling);
    testing::TempFolder temp;
    const auto run = analysed(temp.path(), scaling);
    const Batch batch = TrainingData(small_dataset(), scaled_by(scaling)).evaluation_loader(true, 64).next();
    const at::Tensor x = batch.x.to(at::kDouble);
    const auto scalar = [&](const char* name) { return *run->scalar_at({"scaled-inputs", 0, name}, 0); };
    EXPECT_NEAR(scalar("mean"), x.mean().item<double>(), 1e-10);
    EXPECT_NEAR(scalar("std"), x.std(false).item<double>(), 1e-10);
    EXPECT_EQ(scalar("least"), x.min().item<double>());
    EXPECT_EQ(scalar("most"), x.max().item<double>());
    const auto samples = run->arrays({"scaled-inputs", 0, "samples"}).front().as_doubles();
    EXPECT_EQ(samples.size(), 4000u);
    EXPECT_TRUE(std::is_sorted(samples.begin(), samples.end()));
    const auto images = run->arrays({"scaled-inputs", 0, "image"});
    ASSERT_EQ(images.size(), 4u) << "one a class";
    for (const auto& image : images) {
      EXPECT_EQ(image.shape, (std::vector<int64_t>{32, 32}));
      int64_t first = 0;
      while (batch.y[first].item<int64_t>() != image.step) ++first;
      const at::Tensor expected = batch.x[first].mean(0).contiguous().flatten();
      const auto values = image.as_doubles();
      for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], expected.data_ptr<float>()[i]);
    }
  }
}

TEST(ScaledInputs, TheTableIsScaledByItself) {
  testing::TempFolder temp;
  const auto column_of = [&](const char* scaling, int64_t column) {
    return table_column(*analysed(temp.path() / scaling, scaling), column);
  };
  EXPECT_EQ(column_of("none", 1).front(), 152);
  const std::vector<double> heights = column_of("min-max", 1);  // of 147 to 178 cm
  EXPECT_FLOAT_EQ(heights[0], 5 / 31.0);
  EXPECT_EQ(heights[8], 0);
  EXPECT_EQ(heights[4], 1);
  double sum = 0, squares = 0;
  for (const double age : column_of("z-score", 3)) sum += age, squares += age * age;
  EXPECT_NEAR(sum, 0, 1e-5);
  EXPECT_NEAR(squares, 10, 1e-5);
  std::vector<double> weights = column_of("equalize", 2);  // ten different ones
  std::sort(weights.begin(), weights.end());
  for (size_t i = 0; i < weights.size(); ++i) EXPECT_NEAR(weights[i], static_cast<double>(i) / 9, 1e-6);
  EXPECT_TRUE(column_of("equalize-image", 1).empty());
}

TEST(ScaledInputs, TakesExactlyOneRunAndNoParameters) {
  const auto kind = scaled_inputs_analysis();
  EXPECT_THROW(kind.complete({"scaled-inputs", Json::object(), {}, 0, 1}), SpecError);
  EXPECT_THROW(kind.complete({"scaled-inputs", {{"x", 1}}, {"a"}, 0, 1}), SpecError);
  EXPECT_EQ(kind.complete({"scaled-inputs", Json::object(), {"a"}, 0, 1}), Json::object());
}

}  // namespace
}  // namespace bnlab
