#include "bnlab/numerics/population_statistics.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "tests/numerics/small_networks.h"

namespace bnlab {
namespace {

using testing::examples;
using testing::small_network;

at::Tensor buffer(Network& network, const std::string& name) {
  return network.named_buffers()[name];
}

TEST(PopulationStatistics, AreThoseOfAllValues) {
  const auto network = small_network("mlp", "batch");
  const at::Tensor all = examples(*network, 11, 1).x;
  set_population_statistics(*network, {all.slice(0, 0, 2), all.slice(0, 2, 9), all.slice(0, 9, 11)});
  const auto parameters = network->named_parameters();
  const at::Tensor y = at::linear(all, parameters["first.weight"], parameters["first.bias"]).detach();
  EXPECT_TRUE(at::allclose(buffer(*network, "norm.running_mean"), y.mean(0), 1e-14, 1e-14));
  EXPECT_TRUE(at::allclose(buffer(*network, "norm.running_var"), y.var(0), 1e-13, 0));
}

TEST(PopulationStatistics, ALaterLayerSeesBatchesNormalizedByThemselves) {
  const auto network = small_network("conv", "batch");
  const auto x = examples(*network, 6, 1).x, z = examples(*network, 4, 2).x;
  set_population_statistics(*network, {x, z});
  const auto parameters = network->named_parameters();
  const auto convolved = [&](const at::Tensor& in, const std::string& layer) {
    return at::conv2d(in, parameters[layer + ".conv.weight"], parameters[layer + ".conv.bias"], 1, 1).detach();
  };
  std::vector<at::Tensor> inputs;
  for (const at::Tensor& in : {x, z}) {
    const at::Tensor y = convolved(in, "first");
    const at::Tensor normal = (y - y.mean({0, 2, 3}, true)) / (y.var({0, 2, 3}, false, true) + 1e-5).sqrt();
    inputs.push_back(convolved(at::relu(normal * parameters["first.norm.weight"].view({1, 2, 1, 1}) +
                                        parameters["first.norm.bias"].view({1, 2, 1, 1})),
                               "second"));
  }
  const at::Tensor all = at::cat(inputs);
  EXPECT_TRUE(at::allclose(buffer(*network, "second.norm.running_mean"), all.mean({0, 2, 3}), 1e-12, 1e-13));
  EXPECT_TRUE(at::allclose(buffer(*network, "second.norm.running_var"), all.var({0, 2, 3}, true, false), 1e-12, 0));
}

TEST(PopulationStatistics, NothingElseChanges) {
  const auto network = small_network("conv", "noisy-batch");
  network->eval();
  const at::Tensor count = buffer(*network, "first.norm.norm.num_batches_tracked").clone();
  const at::Tensor random = at::detail::getDefaultCPUGenerator().get_state();
  std::vector<at::Tensor> before;
  for (const at::Tensor& p : network->parameters()) before.push_back(p.detach().clone());
  const at::Tensor mean = buffer(*network, "first.norm.norm.running_mean").clone();
  set_population_statistics(*network, {examples(*network, 6, 1).x});
  EXPECT_FALSE(network->is_training());
  EXPECT_TRUE(at::equal(buffer(*network, "first.norm.norm.num_batches_tracked"), count));
  EXPECT_TRUE(at::equal(at::detail::getDefaultCPUGenerator().get_state(), random));
  for (size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(at::equal(network->parameters()[i], before[i])) << i;
  const at::Tensor now = buffer(*network, "first.norm.norm.running_mean").clone();
  EXPECT_FALSE(at::equal(now, mean));
  network->train();
  network->forward(examples(*network, 6, 2).x);  // running statistics are tracked again
  EXPECT_FALSE(at::equal(buffer(*network, "first.norm.norm.running_mean"), now));
}

TEST(PopulationStatistics, WhatTheyCannotBeSetForIsRefused) {
  const auto none = small_network("mlp", "none"), l1 = small_network("mlp", "l1"), bn = small_network("mlp", "batch");
  const at::Tensor x = examples(*none, 6, 1).x;
  EXPECT_NO_THROW(set_population_statistics(*none, {x}));
  EXPECT_THROW(set_population_statistics(*l1, {x}), c10::Error);
  EXPECT_THROW(set_population_statistics(*bn, {}), c10::Error);
}

}  // namespace
}  // namespace bnlab
