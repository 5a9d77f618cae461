// The training loop: a train spec, its data and its probes in; a finished, diverged or interrupted run out.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "bnlab/nn/ranks.h"
#include "bnlab/record/run_store.h"
#include "bnlab/train/step_observer.h"
#include "bnlab/train/training_data.h"

namespace bnlab {

enum class RunOutcome { kDone, kInterrupted };

/// How a run is executed, which has no influence on its result.
struct ExecutionOptions {
  const std::atomic<bool>* stop = nullptr;                ///< set by a signal handler: checkpoint and return
  std::chrono::duration<double> checkpoint_interval{20};  ///< time between checkpoints
  std::function<void(int64_t step, int64_t steps, double loss)> progress;  ///< called now and then
  std::shared_ptr<Ranks> ranks;  ///< those that share a run of several; null: a run of one
};

/// The network of `spec`, initialized from its seed, in its memory format, in training mode.
std::shared_ptr<Network> build_network(const TrainSpec& spec, const TaskShape& shape);

/// Before computing: so many threads, and no convolutions that are wrong (ops/convolutions.h).
void prepare_libtorch(int64_t threads);

/// Trains to the end of the writer's spec, from its last checkpoint if it has one, showing each step to `observers`.
/// Records "train": loss and accuracy of each batch. Sets the number of threads of libtorch to the spec's.
/// The result depends on the spec alone: interrupted and resumed anywhere, it has the same bits.
RunOutcome train(RunWriter& writer, const TrainingData& data, std::vector<std::unique_ptr<StepObserver>> observers,
                 const ExecutionOptions& options);

/// What all ranks of a run but the first do, while the first is in train() with the same spec and data: train with it,
/// and record nothing. `spec`: complete (completion.h).
RunOutcome train_beside_first(const TrainSpec& spec, const TrainingData& data,
                              std::vector<std::unique_ptr<StepObserver>> observers, const ExecutionOptions& options);

}  // namespace bnlab
