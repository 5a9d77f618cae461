#include "bnlab/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bnlab/train/checkpoint.h"
#include "bnlab/train/loss_closure.h"
#include "bnlab/train/optimizer.h"
#include "tests/small_run.h"
#include "tests/temp_folder.h"
#include "tests/train/final_state.h"

namespace bnlab {
namespace {

using testing::final_state;
using testing::small_dataset;
using testing::small_spec;

/// Calls a function at every step.
class Spy : public StepObserver {
 public:
  explicit Spy(std::function<void(const StepView&)> look) : look_(std::move(look)) {}
  const std::string& name() const override { return name_; }
  bool wants(int64_t) const override { return true; }
  void observe(const StepView& view) override { look_(view); }

 private:
  std::string name_ = "spy";
  std::function<void(const StepView&)> look_;
};

class TrainerTest : public ::testing::Test {
 protected:
  /// Trains `spec` in a folder of its own; returns the folder.
  std::filesystem::path run(const TrainSpec& spec, std::function<void(const StepView&)> look = {},
                            const ExecutionOptions& options = {}) {
    const auto folder = temp_ / std::to_string(++count_);
    create_run(folder, spec);
    run_in(folder, spec, std::move(look), options);
    return folder;
  }
  static RunOutcome run_in(const std::filesystem::path& folder, const TrainSpec& spec,
                           std::function<void(const StepView&)> look, const ExecutionOptions& options) {
    RunWriter writer(folder, "test");
    const TrainingData data(small_dataset(), spec);
    std::vector<std::unique_ptr<StepObserver>> observers;
    if (look) observers.push_back(std::make_unique<Spy>(std::move(look)));
    return train(writer, data, std::move(observers), options);
  }
  static void expect_same_bits(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::equal(a[i], b[i])) << "tensor " << i;
  }

  testing::TempFolder temp_;
  int count_ = 0;
};

TEST_F(TrainerTest, TheSameSpecGivesTheSameBitsAndAnotherSeedDoesNot) {
  TrainSpec spec = small_spec("batch");
  const auto a = run(spec), b = run(spec);
  EXPECT_EQ(RunReader(a).dump_rows(), RunReader(b).dump_rows());
  expect_same_bits(final_state(a, spec), final_state(b, spec));
  TrainSpec other = spec;
  other.seed = 1;
  EXPECT_NE(RunReader(a).dump_rows(), RunReader(run(other)).dump_rows());
}

TEST_F(TrainerTest, StoppedAtEveryStepAndResumedItEndsWithTheSameBits) {
  TrainSpec spec = small_spec("batch", 7);
  spec.optimizer.momentum = 0.9;
  spec.optimizer.weight_decay = 1e-3;
  spec.optimizer.milestones = {3};
  spec.data.augment = "flip-crop";
  spec.trajectory = {"weights", 2, 64};
  const auto whole = run(spec);
  const auto pieces = temp_ / "pieces";
  create_run(pieces, spec);
  int starts = 0;
  for (RunOutcome outcome = RunOutcome::kInterrupted; outcome == RunOutcome::kInterrupted; ++starts) {
    std::atomic<bool> stop{false};
    ExecutionOptions options;
    options.stop = &stop;
    outcome = run_in(
        pieces, spec, [&](const StepView&) { stop = true; }, options);
  }
  EXPECT_EQ(starts, 7);  // stopped after every step but the last
  EXPECT_EQ(RunReader(pieces).dump_rows(), RunReader(whole).dump_rows());
  EXPECT_EQ(read_file(RunPaths{pieces}.trajectory()), read_file(RunPaths{whole}.trajectory()));
  expect_same_bits(final_state(pieces, spec), final_state(whole, spec));
}

TEST_F(TrainerTest, PlainSgdStepIsWeightMinusRateTimesGradient) {
  TrainSpec spec = small_spec("none", 1);
  std::vector<at::Tensor> expected;
  const auto folder = run(spec, [&](const StepView& view) {
    for (size_t i = 0; i < view.parameters.size(); ++i) {
      expected.push_back((view.parameters[i].detach() - view.learning_rate * view.gradients[i]).clone());
    }
  });
  const auto state = final_state(folder, spec);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(at::allclose(state[i], expected[i], 1e-6, 1e-8)) << i;
}

TEST_F(TrainerTest, LossClosureAgreesWithTheStepAndWithFiniteDifferences) {
  for (const char* norm : {"none", "batch"}) {
    run(small_spec(norm, 1), [&](const StepView& view) {
      const auto [loss, gradient] = view.loss_at.loss_and_gradient(view.parameters);
      EXPECT_DOUBLE_EQ(loss, view.loss);
      double slope = 0;
      for (size_t i = 0; i < gradient.size(); ++i) {
        EXPECT_TRUE(at::equal(gradient[i], view.gradients[i])) << i;
        slope += gradient[i].to(at::kDouble).square().sum().item<double>();
      }
      const double distance = 3e-4 / std::sqrt(slope);
      const auto at_distance = [&](double eta) {
        std::vector<at::Tensor> moved;
        for (size_t i = 0; i < gradient.size(); ++i) moved.push_back(view.parameters[i].detach() + eta * gradient[i]);
        return view.loss_at.loss(moved);
      };
      const double measured = (at_distance(distance) - at_distance(-distance)) / (2 * distance);
      EXPECT_NEAR(measured / slope, 1, 0.02) << norm;
    });
  }
}

TEST_F(TrainerTest, ALookThroughTheClosureLeavesNoTrace) {
  const TrainSpec spec = small_spec("batch");
  const auto without = run(spec);
  const auto with = run(spec, [](const StepView& view) {
    view.loss_at.loss_and_gradient(view.parameters);
    view.loss_at.loss(view.parameters);
    NoTrace no_trace(view.network);
    view.network.eval();
    at::manual_seed(12345);
  });
  EXPECT_EQ(RunReader(with).dump_rows(), RunReader(without).dump_rows());
  expect_same_bits(final_state(with, spec), final_state(without, spec));
}

TEST_F(TrainerTest, DivergenceIsRecordedAndNotFatal) {
  TrainSpec spec = small_spec("none", 50);
  spec.optimizer.lr = 1e6;
  RunReader reader(run(spec));
  EXPECT_EQ(reader.state(), RunState::kDiverged);
  const Series loss = reader.scalars({"train", 0, "loss"});
  EXPECT_EQ(reader.diverged_at(), loss.steps.back());
  EXPECT_FALSE(loss.values.back() <= 1e3);
  EXPECT_LT(loss.steps.back(), 49);
}

TEST_F(TrainerTest, WithoutALossBoundOnlyANotFiniteLossDiverges) {
  TrainSpec spec = small_spec("none", 50);
  spec.optimizer.lr = 1e6;
  spec.divergence_loss = std::nullopt;
  RunReader reader(run(spec));
  EXPECT_FALSE(std::isfinite(reader.scalars({"train", 0, "loss"}).values.back()));
}

TEST_F(TrainerTest, PairedArmsStartFromTheSameWeightsAndSeeTheSameBatches) {
  std::vector<std::vector<int64_t>> batches[2];
  std::vector<at::Tensor> first_weights;
  for (int arm = 0; arm < 2; ++arm) {
    run(small_spec(arm == 0 ? "none" : "batch", 3), [&](const StepView& view) {
      batches[arm].push_back(view.batch.indices);
      if (view.step == 0) first_weights.push_back(view.network.layer(1).named_parameters()["conv.weight"].clone());
    });
  }
  EXPECT_EQ(batches[0], batches[1]);
  EXPECT_TRUE(at::equal(first_weights[0], first_weights[1]));
}

TEST_F(TrainerTest, ItLearns) {
  RunReader reader(run(small_spec("batch", 60)));
  const Series loss = reader.scalars({"train", 0, "loss"});
  EXPECT_LT(loss.values.back(), 0.3 * loss.values.front());
}

TEST_F(TrainerTest, OtherDataIsRefused) {
  TrainSpec spec = small_spec("none");
  spec.data.digest = "0000000000000000";
  EXPECT_THROW(TrainingData(small_dataset(), spec), DataError);
}

TEST(LearningRate, FallsAtItsMilestones) {
  OptimizerSpec spec;
  spec.lr = 1;
  spec.milestones = {2, 4};
  spec.factor = 0.5;
  EXPECT_EQ(learning_rate(spec, 1, 10), 1);
  EXPECT_EQ(learning_rate(spec, 2, 10), 0.5);
  EXPECT_EQ(learning_rate(spec, 4, 10), 0.25);
}

}  // namespace
}  // namespace bnlab
