// Internal covariate shift as the change of a layer's gradient by the other layers' updates.
//
// Source: Santurkar et al. 2018, Definition 2.1: with G the gradient of layer i's weights at (W_1 … W_k), and G' the
// same after layers 1 … i-1 took their update, on the same batch, ICS is ||G - G'||_2, and beside it cos(G, G').
// Updated is all that belongs to those layers: weights, biases, gamma, beta; by the gradient step -rate*gradient.
//
// All layers share one forward pass through the updated layers; each then costs a forward pass from its own input on
// and a backward pass that ends at its weights: half of the passes of k separate computations. In a network with noise
// the noise of G' is another than that of G.
//
// Records under "ics", for each layer: "l2" = ||G - G'||_2, "cosine" (NaN if a gradient is 0), "gradient_norm" =
// ||G||_2. Parameters: {"layers": [] for all}. Sequential networks only.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind ics_probe();

}  // namespace bnlab
