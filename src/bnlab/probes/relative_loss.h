// How far along its gradient a step may go before the loss is higher than where it began.
//
// Source: Bjorck et al. 2018, Fig. 3: L(w - alpha*g) / L(w) on the step's own batch, g the gradient of its loss there,
// at step sizes alpha that do not depend on the run's learning rate.
//
// Records under "relative-loss", layer 0: arrays "alpha" (in equal ratios) and "ratio"; scalars "crossing", the step
// size at which the ratio first passes 1 (or is no number): the geometric mean of the last alpha before that and the
// one after it; "lowest", the least ratio; "gradient_norm". A crossing that lies before the first alpha is given as
// near, one beyond the last as far. Parameters: {"near": 1e-5, "far": 10, "points": 19}.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind relative_loss_probe();

}  // namespace bnlab
