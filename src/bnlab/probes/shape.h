// How far the distribution of chosen layers' values is from a Gaussian: skewness and excess kurtosis, channel by
// channel, as BN sees them.
//
// Source: the reason that Ioffe & Szegedy 2015, section 3.2, give for normalizing in front of the activation: what a
// linear map gives is "more Gaussian" than what an activation function gives. The network sees the same images at every
// observation, in training mode. Neither number depends on a channel's mean and scale, so that in front of BN and
// behind it they are the same.
//
// Records under "shape", for each layer and place, of the channels that are not constant the lower median of
// "skewness" = |m3 / m2^(3/2)| and of "kurtosis" = |m4 / m2² - 3|, with m2, m3, m4 the central moments over images and
// positions; NaN if all are constant. Names begin as places.h says.
// Parameters: {"layers": [2, 7], "images": 256, "places": ["activation-input"]}.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind shape_probe();

}  // namespace bnlab
