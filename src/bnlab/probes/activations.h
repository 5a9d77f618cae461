// The distribution of chosen layers' values over training.
//
// Source: Santurkar et al. 2018, Fig. 1c ("we sampled activations of a given layer"). The network sees the same images
// at every observation (the first `images` of the training split), in training mode, so what changes between
// observations is the parameters' doing and not the batch's. The values are what the activation function gets: the
// normalization's output in a network that has one there, the convolution's otherwise; or what the convolution gives,
// in front of the normalization (places.h). `samples` of them are taken at the same random places, in logical (N,C,H,W)
// order whatever the memory layout.
//
// Records under "activations", for each layer: array "samples" (f32, sorted), scalars "mean" and "std" over all values;
// from the places "linear" and "output" the same under "linear_…" and "output_…".
// Parameters: {"layers": [2, 7], "images": 128, "samples": 2048, "places": ["activation-input"]}.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind activations_probe();

}  // namespace bnlab
