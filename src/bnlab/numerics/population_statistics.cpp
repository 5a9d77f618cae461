#include "bnlab/numerics/population_statistics.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "bnlab/nn/lp_norm.h"
#include "bnlab/nn/no_trace.h"

namespace bnlab {
namespace {

/// The network's BN layers with moments to fill.
std::vector<LayerMoments> layers_of(const Network& network) {
  std::vector<LayerMoments> layers;
  for (const auto& item : network.named_modules()) {
    auto* const layer = dynamic_cast<BatchNorm*>(item.value().get());
    TORCH_CHECK(!dynamic_cast<LpNorm*>(item.value().get()), "population_moments: the layer \"", item.key(),
                "\" normalizes by another norm than batch normalization; take networks with \"batch\".");
    if (!layer) continue;
    TORCH_CHECK(layer->options().track_running_stats, "population_moments: the layer \"", item.key(),
                "\" keeps no running statistics.");
    layers.push_back({layer, {}});
  }
  return layers;
}

/// Puts what batch normalization sees in training into moments, for the length of a scope.
class Collecting {
 public:
  explicit Collecting(std::vector<LayerMoments>& layers) : layers_(layers) {
    for (auto& [layer, moments] : layers_) layer->collect(&moments);
  }
  ~Collecting() {
    for (auto& [layer, moments] : layers_) layer->collect(nullptr);
  }
  Collecting(const Collecting&) = delete;
  Collecting& operator=(const Collecting&) = delete;

 private:
  std::vector<LayerMoments>& layers_;
};

}  // namespace

std::vector<LayerMoments> population_moments(Network& network, const std::vector<at::Tensor>& inputs) {
  TORCH_CHECK(!inputs.empty(), "population_moments: expected at least one batch, got none.");
  auto layers = layers_of(network);
  at::NoGradGuard no_grad;
  const NoTrace no_trace(network);
  const Collecting collecting(layers);
  network.train();
  const auto type = network.parameters().front().scalar_type();
  for (const at::Tensor& x : inputs) network.forward(x.to(type));
  return layers;
}

void set_population_statistics(Network& network, const std::vector<at::Tensor>& inputs) {
  at::NoGradGuard no_grad;
  for (auto& [layer, moments] : population_moments(network, inputs)) {
    layer->running_mean().copy_(moments.mean());
    layer->running_var().copy_(moments.var_unbiased());
  }
}

}  // namespace bnlab
