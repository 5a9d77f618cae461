// Both sides of Santurkar et al. 2018, Theorem 4.1, on a network without normalization and its twin with one BN layer.
//
// The twin of layer j has the same weights, and between the convolution's y and what follows it z = gamma*yhat + beta
// with yhat = (y - mean)/sigma, eps = 0, and gamma, beta constant (here 1 and 0). With m elements a channel, the
// theorem says for each channel
//   ‖dL̂/dy‖² <= (gamma²/sigma²) (‖g‖² - <1, g>²/m - <g, yhat>²/m).
// Taken with g = dL̂/dz, the twin's own downstream gradient, it is an identity; taken with g = dL/dy of the plain
// network, as printed, it is a claim about networks that need not hold. Observation 4.3: with gamma = sigma and beta =
// mean the twin is the plain network.
//
// Records under "bn-theory", for each layer: arrays "gradient" = ‖dL̂/dy‖² and "bound" = the printed right side, one
// element a channel; scalars "identity_error", the largest over channels of |left - right|/‖(gamma/sigma) g‖² with the
// twin's g, "holds" = the share of channels for which the printed inequality holds, and "twin_error" = |L̂ - L|/L of
// Observation 4.3. Parameters: {"layers": [] for all}. For networks without normalization, or whose layer has none.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind bn_theory_probe();

}  // namespace bnlab
