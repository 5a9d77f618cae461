// Linear layers with an activation: the network of Ioffe & Szegedy 2015, section 4.1, at any depth.
#pragma once

#include "bnlab/nn/model_list.h"

namespace bnlab {

/// "mlp": `layers` hidden layers of `width` units with `activation`, and one linear layer as head. Images go in as
/// (N, channels*size*size). A normalization stands in every hidden layer; the bias is kept beside it, so that a network
/// and its normalized twin have the same weights.
ModelKind mlp_kind();

}  // namespace bnlab
