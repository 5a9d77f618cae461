// What happens inside the network while a single update is made bit by bit.
//
// Source: Bjorck et al. 2018, Fig. 4, of an update that makes the network diverge. The weights are moved by 0 to 100 %
// of the update, the learning rate times the gradient, and the step's own batch passes through. Values beyond
// 1e38, which a deep network may reach, are infinite.
//
// Records under "update-fractions". Layer 0: arrays "fraction" and "loss"; scalars "loss_before", "loss_after" and
// "length", the L2 norm of the whole update. For each of the layers, of what its convolution or linear map gives:
// arrays "mean" and "variance" (points, channels), over the batch and all positions of a channel; and scalars
// "mean_before" and "mean_after", the root of their mean square over the channels, "variance_before" and
// "variance_after", the mean over the channels.
// Parameters: {"layers": [1, 2], "points": 11 (from 0 to 100 %)}; layers absent or empty: all.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind update_fractions_probe();

}  // namespace bnlab
