// What the tests of probes share: small runs, and the network and batch that a probe is shown.
#pragma once

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "bnlab/train/checkpoint.h"
#include "tests/probed_run.h"
#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab::testing {

class ProbesTest : public ::testing::Test {
 protected:
  std::filesystem::path run(const TrainSpec& spec, const std::vector<ProbeSpec>& probes) {
    return probed_run(temp_ / std::to_string(++count_), small_dataset(), spec, probes);
  }
  /// A network as run() leaves it.
  static std::shared_ptr<Network> trained(const std::filesystem::path& folder, const TrainSpec& spec) {
    const auto network = build_network(spec, TrainingData(small_dataset(), spec).shape());
    load_network(read_file(RunPaths{folder}.checkpoint()), *network);
    return network;
  }
  TempFolder temp_;
  int count_ = 0;
};

/// The values that layer `wanted`'s ReLU gets in small_spec()'s network, computed from the weights alone with ATen's
/// own operators; with `linear` those that its convolution gives.
inline at::Tensor activation_by_hand(Network& network, at::Tensor x, int64_t wanted, bool linear = false) {
  const std::vector<bool> pool_after = {true, true, false, true, false, true, false, true};
  for (int64_t layer = 1;; ++layer) {
    const auto p = network.layer(layer).named_parameters();
    x = at::conv2d(x, p["conv.weight"], p["conv.bias"], 1, 1);
    if (linear && layer == wanted) return x;
    if (p.contains("norm.weight")) {
      const at::Tensor mean = x.mean({0, 2, 3}, true), variance = x.var({0, 2, 3}, false, true);
      x = (x - mean) / (variance + 1e-5).sqrt() * p["norm.weight"].view({1, -1, 1, 1}) +
          p["norm.bias"].view({1, -1, 1, 1});
    }
    if (layer == wanted) return x;
    x = x.relu();
    if (pool_after[static_cast<size_t>(layer - 1)]) x = at::max_pool2d(x, {2, 2});
  }
}

/// What a probe sees at step `step` of a run of `spec`: the network before the update and the step's batch.
struct Moment {
  std::shared_ptr<Network> network;
  Batch batch;

  std::vector<at::Tensor> gradients(double& loss) const {
    const at::Tensor value = at::cross_entropy_loss(network->forward(batch.x), batch.y);
    loss = value.item<double>();
    return torch::autograd::grad({value}, network->parameters());
  }
  std::vector<at::Tensor> gradients() const {
    double loss = 0;
    return gradients(loss);
  }
};

class MomentTest : public ProbesTest {
 protected:
  Moment moment(TrainSpec spec, int64_t step) {
    spec.steps = step;
    Loader loader = TrainingData(small_dataset(), spec).training_loader();
    for (int64_t i = 0; i < step; ++i) (void)loader.next();
    return {trained(run(spec, {}), spec), loader.next()};
  }
  /// A run of steps 0 … step that shows its last step to one probe.
  RunReader probed(TrainSpec spec, int64_t step, const std::string& probe, const Json& parameters) {
    spec.steps = step + 1;
    return RunReader(run(spec, {{probe, step, 1, false, parameters}}));
  }
};

/// Of all of them together.
inline double norm_of(const std::vector<at::Tensor>& values) {
  double squares = 0;
  for (const auto& value : values) squares += value.to(at::kDouble).square().sum().item<double>();
  return std::sqrt(squares);
}

}  // namespace bnlab::testing
