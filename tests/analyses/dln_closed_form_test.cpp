// The closed form against whole backward passes of the network, layer by layer.
#include "bnlab/analyses/dln_closed_form.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "bnlab/data/linear_task.h"
#include "bnlab/train/trainer.h"
#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

constexpr int64_t kLayers = 25;

/// Records what the probe "ics" would, each layer by a pass of its own; `factor` makes it wrong.
class SlowIcs final : public StepObserver {
 public:
  explicit SlowIcs(double factor) : factor_(factor) {}
  const std::string& name() const override { return name_; }
  bool wants(int64_t step) const override { return step == 2; }
  void observe(const StepView& view) override {
    auto parameters = view.parameters;
    for (size_t i = 0; i < parameters.size(); ++i) {
      const auto after = view.loss_at.loss_and_gradient(parameters).second;
      const double l2 = (view.gradients[i] - after[i]).to(at::kDouble).norm().item<double>();
      view.recorder.scalar(view.step, static_cast<int64_t>(i) + 1, "l2", factor_ * l2);
      parameters[i] = view.parameters[i].detach() - view.learning_rate * view.gradients[i];
    }
  }

 private:
  std::string name_ = "ics";
  double factor_;
};

TrainSpec dln_spec(const Dataset& task, const std::string& norm) {
  TrainSpec spec = testing::small_spec(norm, 4);
  spec.data = {"linear", task.digest, "none", 0, "none"};
  spec.model.name = "dln";
  spec.model.options = {{"layers", kLayers}, {"normalized", 24}};
  spec.model.init = "glorot-normal";
  spec.optimizer.lr = 1e-6;
  spec.batch = 1000;
  spec.divergence_loss = std::nullopt;
  spec.trajectory = {"weights", 2, 64};
  return spec;
}

std::unique_ptr<RunReader> analyse(const std::filesystem::path& folder, const std::string& norm, double factor) {
  const Dataset task = make_linear_task({});
  const TrainSpec spec = dln_spec(task, norm);
  create_run(folder / "input", spec);
  {
    RunWriter writer(folder / "input", "test");
    std::vector<std::unique_ptr<StepObserver>> observers;
    observers.push_back(std::make_unique<SlowIcs>(factor));
    train(writer, TrainingData(task, spec), std::move(observers), {});
  }
  const AnalysisSpec analysis{"dln-closed-form", Json::object(), {"input"}, 0, 1};
  create_run(folder / "analysis", analysis);
  {
    RunWriter writer(folder / "analysis", "test");
    Recorder recorder(writer, "dln-closed-form");
    std::vector<std::unique_ptr<RunReader>> inputs;
    inputs.push_back(std::make_unique<RunReader>(folder / "input"));
    const auto data = [&](const TrainSpec& input) { return TrainingData(task, input); };
    dln_closed_form_analysis().compute({analysis, inputs, data, recorder, {}});
    writer.finish(0, "", -1);
  }
  return std::make_unique<RunReader>(folder / "analysis");
}

TEST(DlnClosedForm, IsWhatBackwardPassesGive) {
  const testing::TempFolder temp;
  const auto reader = analyse(temp.path(), "none", 1);
  EXPECT_EQ(reader->scalars({"dln-closed-form", 0, "difference"}).steps, std::vector<int64_t>{2});
  EXPECT_LT(*reader->scalar_at({"dln-closed-form", 0, "difference"}, 2), 1e-4);
  EXPECT_EQ(*reader->scalar_at({"dln-closed-form", 1, "l2"}, 2), 0) << "no layer before the first";
  const double norm = *reader->scalar_at({"dln-closed-form", kLayers, "gradient_norm"}, 2);
  EXPECT_GT(*reader->scalar_at({"dln-closed-form", kLayers, "l2"}, 2), 1e-3 * norm);
}

TEST(DlnClosedForm, NoticesAWrongProbe) {
  const testing::TempFolder temp;
  EXPECT_GT(*analyse(temp.path(), "none", 1.5)->scalar_at({"dln-closed-form", 0, "difference"}, 2), 1e-3);
}

TEST(DlnClosedForm, RefusesANormalizedNetwork) {
  const testing::TempFolder temp;
  EXPECT_THROW(analyse(temp.path(), "batch", 1), SpecError);
  EXPECT_THROW(dln_closed_form_analysis().complete({"dln-closed-form", Json::object(), {}, 0, 1}), SpecError);
}

}  // namespace
}  // namespace bnlab
