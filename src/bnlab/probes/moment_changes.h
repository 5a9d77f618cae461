// How far a training step moves the mean and the variance of what a layer's activation function gets, or of what its
// linear map gives, in front of the normalization (places.h).
//
// Source: Santurkar et al. 2018, Fig. 2 and 8, which show how (un)stable the distributions are. The network sees the
// same images before and after the step's update -rate*gradient, in training mode; in a network with noise, with fresh
// noise, as it would in training.
//
// Records under "moment-changes", for each layer, averaged over its channels: "mean" = |change of mean| in units of the
// standard deviation before the step, "variance" = |change of variance| in units of the variance before it;
// from the places "linear" and "output" the same under "linear_…" and "output_…". A channel that is constant before the
// step (a ReLU that never fires) has no unit and is left out; NaN if all are.
// Parameters: {"layers": [2, 7], "images": 128, "places": ["activation-input"]}.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind moment_changes_probe();

}  // namespace bnlab
