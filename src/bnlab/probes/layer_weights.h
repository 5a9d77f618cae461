// Which of a network's parameters belong to which layer.
#pragma once

#include <cstdint>
#include <vector>

#include "bnlab/nn/network.h"

namespace bnlab {

/// A layer's parameters as places in Network::parameters().
struct LayerParameters {
  std::vector<size_t> all;  ///< weight, bias, gamma, beta, …
  size_t weight = 0;        ///< of its convolution or linear map: the one with two and more dimensions
};

/// For layers 1 … layers(), at [number - 1].
std::vector<LayerParameters> layer_parameters(Network& network);

/// Checks a probe's list of layers; empty means all. `where`: its path in the spec. Throws SpecError.
void check_layers(const std::vector<int64_t>& wanted, int64_t layers, const std::string& where);
std::vector<int64_t> all_if_empty(std::vector<int64_t> wanted, int64_t layers);

}  // namespace bnlab
