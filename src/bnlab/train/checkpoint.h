// All state of a training run, to bytes and back.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bnlab/data/loader.h"
#include "bnlab/nn/network.h"
#include "bnlab/train/step_observer.h"

namespace torch::optim {
class Optimizer;
}

namespace bnlab {

/// What a checkpoint holds beside the default random generator's state.
struct TrainingState {
  int64_t step = 0;  ///< updates made
  Network& network;
  torch::optim::Optimizer& optimizer;
  Loader& loader;
  const std::vector<std::unique_ptr<StepObserver>>& observers;
};

/// A TorchScript archive: "network" (readable in Python by torch.jit.load), "optimizer", "random", "loader",
/// "observers".
std::string save_checkpoint(const TrainingState& state);

/// Puts everything back in place and returns the step to go on with. Throws StoreError if `content` does not fit.
int64_t load_checkpoint(const std::string& content, TrainingState& state);

/// Only the network's weights and buffers.
void load_network(const std::string& content, Network& network);

}  // namespace bnlab
