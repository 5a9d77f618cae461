// Every probe against an independent computation, and that none leaves a trace.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "bnlab/probes/probe_list.h"
#include "bnlab/train/checkpoint.h"
#include "bnlab/train/trainer.h"
#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using testing::small_dataset;
using testing::small_spec;

constexpr int64_t kLayers = 8;

/// Parameters with which each probe of the list can run on small_spec(); a new probe adds its line here.
Json example_parameters(const std::string& name) {
  if (name == "activations") return {{"layers", {2, 7}}, {"images", 16}, {"samples", 64}};
  return Json::object();
}

class ProbesTest : public ::testing::Test {
 protected:
  std::filesystem::path run(TrainSpec spec, const std::vector<ProbeSpec>& probes) {
    const auto folder = temp_ / std::to_string(++count_);
    const ProbeSetting setting{kLayers, static_cast<uint64_t>(spec.seed)};
    std::vector<std::unique_ptr<StepObserver>> observers;
    for (const auto& probe : probes) observers.push_back(find_probe_kind(probe.name)->make(probe, setting));
    create_run(folder, spec);
    RunWriter writer(folder, "test");
    train(writer, TrainingData(small_dataset(), spec), std::move(observers), {});
    return folder;
  }
  /// A network as run() leaves it.
  static std::shared_ptr<Network> trained(const std::filesystem::path& folder, const TrainSpec& spec) {
    const auto network = build_network(spec, TrainingData(small_dataset(), spec).shape());
    load_network(read_file(RunPaths{folder}.checkpoint()), *network);
    return network;
  }
  testing::TempFolder temp_;
  int count_ = 0;
};

TEST_F(ProbesTest, NoProbeLeavesATrace) {
  const TrainSpec spec = small_spec("batch", 5);
  const auto bare = run(spec, {});
  for (const auto& kind : probe_kinds()) {
    const auto probed = run(spec, {{kind.name, 0, 1, true, example_parameters(kind.name)}});
    const auto a = trained(bare, spec), b = trained(probed, spec);
    for (size_t i = 0; i < a->parameters().size(); ++i) {
      EXPECT_TRUE(at::equal(a->parameters()[i], b->parameters()[i])) << kind.name << " parameter " << i;
    }
    for (size_t i = 0; i < a->buffers().size(); ++i) {
      EXPECT_TRUE(at::equal(a->buffers()[i], b->buffers()[i])) << kind.name << " buffer " << i;
    }
    EXPECT_EQ(RunReader(bare).scalars({"train", 0, "loss"}).values,
              RunReader(probed).scalars({"train", 0, "loss"}).values);
  }
}

TEST_F(ProbesTest, EveryProbeRefusesUnknownParameters) {
  for (const auto& kind : probe_kinds()) {
    Json parameters = example_parameters(kind.name);
    parameters["no_such_parameter"] = 1;
    EXPECT_THROW(kind.complete(parameters, "probes[0].parameters", {kLayers, 0}), SpecError) << kind.name;
  }
}

/// The values that layer `wanted`'s ReLU gets, computed from the weights alone with ATen's own operators.
at::Tensor activation_by_hand(Network& network, at::Tensor x, int64_t wanted) {
  const std::vector<bool> pool_after = {true, true, false, true, false, true, false, true};
  for (int64_t layer = 1;; ++layer) {
    const auto p = network.layer(layer).named_parameters();
    x = at::conv2d(x, p["conv.weight"], p["conv.bias"], 1, 1);
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

TEST_F(ProbesTest, ActivationsAreThoseOfTheNetwork) {
  for (const char* norm : {"none", "batch"}) {
    const TrainSpec spec = small_spec(norm, 3);
    const auto folder =
        run(spec, {{"activations", 0, 100, true, {{"layers", {2, 7}}, {"images", 16}, {"samples", 20000}}}});
    const auto network = trained(folder, spec);
    at::NoGradGuard no_grad;
    const at::Tensor images = TrainingData(small_dataset(), spec).evaluation_loader(true, 16).next().x;
    RunReader reader(folder);
    for (const int64_t layer : {2, 7}) {
      const at::Tensor expected = activation_by_hand(*network, images, layer).contiguous().flatten();
      const double deviation = expected.std(false).item<double>();
      EXPECT_NEAR(*reader.scalar_at({"activations", layer, "mean"}, 3), expected.mean().item<double>(),
                  1e-5 * deviation + 1e-7);
      EXPECT_NEAR(*reader.scalar_at({"activations", layer, "std"}, 3) / deviation, 1, 1e-5);
      const auto samples = reader.arrays({"activations", layer, "samples"}).back().as_doubles();
      EXPECT_TRUE(std::is_sorted(samples.begin(), samples.end()));
      // Sampled uniformly: its median lies between the 48th and 52nd percentile (20,000 samples: 5.6 standard errors).
      const at::Tensor sorted = std::get<0>(expected.sort());
      const auto at_share = [&](double q) {
        return sorted[static_cast<int64_t>(q * (sorted.numel() - 1))].item<double>();
      };
      EXPECT_GE(samples[10000], at_share(0.48)) << norm << layer;
      EXPECT_LE(samples[10000], at_share(0.52)) << norm << layer;
    }
  }
}

TEST_F(ProbesTest, AccuracyIsTheShareOfRightAnswersInEvaluationMode) {
  const TrainSpec spec = small_spec("batch", 8);
  const auto folder = run(spec, {{"accuracy", 0, 100, true, {{"split", "test"}, {"examples", 30}}}});
  const auto network = trained(folder, spec);
  network->eval();
  at::NoGradGuard no_grad;
  const Batch batch = TrainingData(small_dataset(), spec).evaluation_loader(false, 30).next();
  const at::Tensor logits = network->forward(batch.x);
  int64_t right = 0;
  double loss = 0;
  for (int64_t i = 0; i < 30; ++i) {
    right += logits[i].argmax().item<int64_t>() == batch.y[i].item<int64_t>();
    loss -= logits[i].log_softmax(0)[batch.y[i].item<int64_t>()].item<double>() / 30;
  }
  RunReader reader(folder);
  EXPECT_DOUBLE_EQ(*reader.scalar_at({"accuracy", 0, "test_accuracy"}, 8), static_cast<double>(right) / 30);
  EXPECT_NEAR(*reader.scalar_at({"accuracy", 0, "test_loss"}, 8), loss, 1e-5);
}

TEST(ProbeParameters, LayersMustExist) {
  const auto* kind = find_probe_kind("activations");
  EXPECT_THROW(kind->complete({{"layers", {9}}}, "p", {kLayers, 0}), SpecError);
  EXPECT_THROW(kind->complete({{"layers", {0}}}, "p", {kLayers, 0}), SpecError);
  EXPECT_THROW(kind->complete(Json::object(), "p", {kLayers, 0}), SpecError);
}

}  // namespace
}  // namespace bnlab
