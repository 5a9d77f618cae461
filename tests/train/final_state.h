// What a finished training run leaves.
#pragma once

#include <filesystem>
#include <vector>

#include "bnlab/train/checkpoint.h"
#include "bnlab/train/trainer.h"
#include "tests/small_run.h"

namespace bnlab::testing {

/// Parameters and buffers of the network in the last checkpoint of a run of `spec` on small_dataset().
inline std::vector<at::Tensor> final_state(const std::filesystem::path& folder, const TrainSpec& spec) {
  const TrainingData data(small_dataset(), spec);
  const auto network = build_network(spec, data.shape());
  load_network(read_file(RunPaths{folder}.checkpoint()), *network);
  std::vector<at::Tensor> state = network->parameters();
  for (const auto& buffer : network->buffers()) state.push_back(buffer);
  return state;
}

}  // namespace bnlab::testing
