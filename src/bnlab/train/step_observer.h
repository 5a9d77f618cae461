// What a probe sees of training. The loop knows only this interface; the probes live in probes/.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bnlab/data/loader.h"
#include "bnlab/nn/network.h"
#include "bnlab/record/run_store.h"
#include "bnlab/train/loss_closure.h"
#include "bnlab/train/training_data.h"

namespace bnlab {

/// Records values under one probe's name.
class Recorder {
 public:
  Recorder(RunWriter& writer, std::string probe) : writer_(&writer), probe_(std::move(probe)) {}
  /// One that drops what it is given: to see what a probe costs.
  static Recorder dropping() { return {}; }

  void scalar(int64_t step, int64_t layer, const std::string& name, double value) {
    if (writer_) writer_->scalar(step, {probe_, layer, name}, value);
  }
  /// T: float, double or int64_t, in row-major order of `shape` (empty: one dimension).
  template <class T>
  void array(int64_t step, int64_t layer, const std::string& name, const std::vector<T>& values,
             std::vector<int64_t> shape = {}) {
    if (writer_) writer_->array(step, {probe_, layer, name}, values, std::move(shape));
  }

 private:
  Recorder() = default;

  RunWriter* writer_ = nullptr;
  std::string probe_;
};

/// The network between two steps: what is there at a training step and after the last one.
struct NetworkView {
  int64_t step = 0;  ///< number of updates made so far
  Network& network;
  const TrainingData& data;
  const TrainSpec& spec;  ///< as stored: options that are at their default are not in it
  Recorder& recorder;
};

/// A training step after its backward pass and before its update.
struct StepView : NetworkView {
  const Batch& batch;
  const std::vector<at::Tensor>& parameters;  ///< in the order of Network::parameters()
  const std::vector<at::Tensor>& gradients;   ///< of the batch's loss, same order and shapes
  double loss = 0;                            ///< mean over the batch
  double learning_rate = 0;
  const LossClosure& loss_at;  ///< the same batch's loss and gradient at other parameters
};

/// A probe. It leaves no trace: weights, gradients, running statistics, random state and modes are bit-identical after
/// observe() (wrap forward passes in NoTrace, or use StepView::loss_at, which does).
class StepObserver {
 public:
  virtual ~StepObserver() = default;
  virtual const std::string& name() const = 0;
  virtual bool wants(int64_t step) const = 0;
  /// Whether it makes sense to show it only a part of the steps that it wants; not to a probe of successive steps.
  virtual bool may_skip() const { return true; }
  virtual void observe(const StepView& view) = 0;
  virtual bool wants_end() const { return false; }
  virtual void observe_end(const NetworkView& view) { (void)view; }
  /// What the probe must remember across a resumption, e.g. the previous step's moments.
  virtual std::string state() const { return ""; }
  virtual void restore(const std::string& state) { (void)state; }
};

}  // namespace bnlab
