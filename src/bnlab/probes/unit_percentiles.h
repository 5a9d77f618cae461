// The band of values in which each unit's input lies, over training.
//
// Source: Ioffe & Szegedy 2015, Fig. 1 b and c ("the evolution of input distributions to a typical sigmoid, over the
// course of training, shown as {15, 50, 85}th percentiles"). The network sees the same images at every observation, in
// training mode, so that what moves a band is the parameters' doing and not the batch's.
//
// Records under "unit-percentiles", for each layer: array "percentiles" (3, units), f32, the 15th, 50th and 85th
// percentile of each unit's (channel's) values over images and positions, linear between order statistics; names begin
// as places.h says.
// Parameters: {"layers": [2, 7], "images": 128, "places": ["activation-input"]}.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind unit_percentiles_probe();

}  // namespace bnlab
