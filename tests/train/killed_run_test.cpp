// Training that is killed wherever it writes to the disk.
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/optim/sgd.h>

#include "bnlab/record/hash.h"
#include "bnlab/train/checkpoint.h"
#include "bnlab/train/optimizer.h"
#include "bnlab/train/state_key.h"
#include "bnlab/train/trainer.h"
#include "tests/kill.h"
#include "tests/small_run.h"

namespace bnlab {
namespace {

/// Records the sum of all losses so far at every step, and at the end.
class Sum final : public StepObserver {
 public:
  const std::string& name() const override { return name_; }
  bool wants(int64_t) const override { return true; }
  void observe(const StepView& view) override {
    sum_ += view.loss;
    view.recorder.scalar(view.step, 0, "sum", sum_);
  }
  bool wants_end() const override { return true; }
  void observe_end(const NetworkView& view) override { view.recorder.scalar(view.step, 0, "sum", sum_); }
  std::string state() const override { return fmt::format("{:a}", sum_); }
  void restore(const std::string& state) override { sum_ = std::stod(state); }

 private:
  std::string name_ = "sum";
  double sum_ = 0;
};

std::vector<std::unique_ptr<StepObserver>> observers() {
  std::vector<std::unique_ptr<StepObserver>> list;
  list.push_back(std::make_unique<Sum>());
  return list;
}

/// With a checkpoint after every step.
void train_in(const std::filesystem::path& folder, const TrainSpec& spec, const WriteHook& hook) {
  create_run(folder, spec, hook);
  RunWriter writer(folder, "test", hook);
  if (writer.finished()) return;
  ExecutionOptions options;
  options.checkpoint_interval = std::chrono::seconds(0);
  train(writer, TrainingData(testing::small_dataset(), spec), observers(), options);
}

std::string digest(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().contiguous();
  return sha256_hex({static_cast<const char*>(flat.data_ptr()), flat.nbytes()}) + "\n";
}

/// All that the final checkpoint holds. Its bytes differ: libtorch names an optimizer's state by addresses.
std::string state_in(const std::filesystem::path& folder, const TrainSpec& spec) {
  const TrainingData data(testing::small_dataset(), spec);
  const auto network = build_network(spec, data.shape());
  const auto parameters = network->parameters();
  const auto optimizer = make_optimizer(spec.optimizer, parameters);
  Loader loader = data.training_loader();
  const auto probes = observers();
  TrainingState state{0, *network, *optimizer, loader, probes};
  load_checkpoint(read_file(RunPaths{folder}.checkpoint()), state);
  std::string text = fmt::format("step {}, epoch {}, position {}, observer {}\n", state.step, loader.position().epoch,
                                 loader.position().position, probes[0]->state());
  for (const auto& parameter : parameters) {
    text += digest(parameter);
    const auto of_parameter = optimizer->state().find(state_key(parameter));
    if (of_parameter == optimizer->state().end()) continue;
    text += digest(static_cast<torch::optim::SGDParamState&>(*of_parameter->second).momentum_buffer());
  }
  for (const auto& buffer : network->buffers()) text += digest(buffer);
  return text + digest(at::detail::getDefaultCPUGenerator().get_state());
}

/// All that a run leaves but the time that it took.
std::string left_in(const std::filesystem::path& folder, const TrainSpec& spec) {
  RunReader reader(folder);
  return fmt::format("{} at {}\n{}{}trajectory {}", to_string(reader.state()), reader.diverged_at(), reader.dump_rows(),
                     state_in(folder, spec), sha256_hex(read_file(RunPaths{folder}.trajectory())));
}

/// The number of moments at which it was killed.
int kill_everywhere(const TrainSpec& spec) {
  testing::TempFolder temp;
  return testing::kill_everywhere(
      temp, 1, [&](const auto& folder) { return left_in(folder, spec); },
      [&](const auto& folder, const WriteHook& hook) { train_in(folder, spec, hook); });
}

TrainSpec spec_of_everything() {
  TrainSpec spec = testing::small_spec("batch", 3);
  spec.optimizer.momentum = 0.9;
  spec.data.augment = "flip-crop";
  spec.trajectory = {"weights", 1, 64};
  return spec;
}

TEST(KilledRun, EndsWithTheSameBits) {
  EXPECT_GT(kill_everywhere(spec_of_everything()), 40);
}

TEST(KilledRun, DivergesWithTheSameBits) {
  TrainSpec spec = spec_of_everything();
  spec.steps = 50;
  spec.optimizer.lr = 1e6;
  testing::TempFolder temp;
  testing::killed_at(0, [&](const WriteHook& hook) { train_in(temp / "run", spec, hook); });
  ASSERT_EQ(RunReader(temp / "run").state(), RunState::kDiverged);
  ASSERT_LT(RunReader(temp / "run").diverged_at(), 4);
  EXPECT_GT(kill_everywhere(spec), 30);
}

}  // namespace
}  // namespace bnlab
