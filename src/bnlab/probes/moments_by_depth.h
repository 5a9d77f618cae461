// Mean and variance of each channel over images and positions, summed up layer by layer.
//
// Source: Bjorck et al. 2018 (arXiv 1806.02375), Fig. 5: average channel means and variances as a function of depth,
// with error bars over channels. The network sees the same images at every observation, in training mode.
//
// Records under "moments-by-depth", for each layer and place, over the layer's channels: "mean" = the mean of the
// channels' |mean|, "mean_spread" = its standard deviation (of all channels, 1/C); "variance" and "variance_spread"
// likewise of their variances (biased). Names begin as places.h says.
// Parameters: {"layers": [2, 7], "images": 128, "places": ["activation-input"]}.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind moments_by_depth_probe();

}  // namespace bnlab
