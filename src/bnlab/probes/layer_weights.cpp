#include "bnlab/probes/layer_weights.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "bnlab/record/json_fields.h"

namespace bnlab {

std::vector<LayerParameters> layer_parameters(Network& network) {
  const std::vector<at::Tensor> all = network.parameters();
  std::vector<LayerParameters> result;
  for (int64_t number = 1; number <= network.layers(); ++number) {
    LayerParameters layer;
    bool has_weight = false;
    for (const at::Tensor& parameter : network.layer(number).parameters()) {
      const auto found =
          std::find_if(all.begin(), all.end(), [&](const at::Tensor& p) { return p.is_same(parameter); });
      layer.all.push_back(static_cast<size_t>(found - all.begin()));
      if (parameter.dim() < 2 || has_weight) continue;
      layer.weight = layer.all.back();
      has_weight = true;
    }
    TORCH_CHECK(has_weight, "layer ", number, " has no weight of two and more dimensions");
    result.push_back(std::move(layer));
  }
  return result;
}

void check_layers(const std::vector<int64_t>& wanted, int64_t layers, const std::string& where) {
  for (const int64_t layer : wanted) {
    if (layer >= 1 && layer <= layers) continue;
    throw SpecError(where, "expected layers from 1 to " + std::to_string(layers) + ", got " + std::to_string(layer));
  }
}

std::vector<int64_t> all_if_empty(std::vector<int64_t> wanted, int64_t layers) {
  if (!wanted.empty()) return wanted;
  wanted.resize(static_cast<size_t>(layers));
  std::iota(wanted.begin(), wanted.end(), 1);
  return wanted;
}

}  // namespace bnlab
