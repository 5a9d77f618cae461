// How much of a step's gradient reaches each layer's weights.
//
// Source: Ioffe & Szegedy 2015, section 1, on gradients that vanish on their way through saturated sigmoids; Glorot &
// Bengio 2010, who compare the gradients of layers.
//
// Records under "layer-gradients", for each layer: "weight", the L2 norm of the gradient of the batch's loss with
// respect to the weight of its convolution or linear map (without biases, gamma and beta, which not every layer has).
// Summed in double, so that the gradients of the first of many layers do not underflow when they are squared.
// Parameters: {"layers": [1, 2]}; absent or empty: all.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind layer_gradients_probe();

}  // namespace bnlab
