// Runs one analysis of one small train run.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "bnlab/analyses/analysis_list.h"
#include "bnlab/analyses/finished_network.h"
#include "bnlab/analyses/values.h"
#include "tests/small_run.h"

namespace bnlab::testing {

/// Trains `spec` on small_dataset() in `folder` and runs the analysis of it.
inline std::unique_ptr<RunReader> analysed(const std::filesystem::path& folder, const TrainSpec& spec,
                                           const AnalysisKind& kind, const Json& parameters = Json::object()) {
  create_run(folder / "input", spec);
  {
    RunWriter writer(folder / "input", "test");
    train(writer, TrainingData(small_dataset(), spec), {}, {});
  }
  const AnalysisSpec analysis{kind.name, parameters, {"input"}, 0, 1};
  create_run(folder / "analysis", analysis);
  {
    RunWriter writer(folder / "analysis", "test");
    Recorder recorder(writer, kind.name);
    std::vector<std::unique_ptr<RunReader>> inputs;
    inputs.push_back(std::make_unique<RunReader>(folder / "input"));
    const auto data = [](const TrainSpec& input) { return TrainingData(small_dataset(), input); };
    kind.compute({analysis, inputs, data, recorder, {}});
    writer.finish(0, "", -1);
  }
  return std::make_unique<RunReader>(folder / "analysis");
}

/// What each layer's BN got and gave in a pass of the finished network of analysed().
struct LayerPass {
  std::vector<at::Tensor> in, out;
  at::Tensor outputs;
};
inline LayerPass pass_of(SequentialNetwork& network, const at::Tensor& images) {
  LayerPass pass;
  pass.outputs = network.forward(images, [&](int64_t, TapPoint point, const at::Tensor& value) {
    if (point == TapPoint::kLinear) pass.in.push_back(value);
    if (point == TapPoint::kActivationInput) pass.out.push_back(value);
  });
  return pass;
}

}  // namespace bnlab::testing
