// Both sides of Santurkar et al. 2018, Theorems 4.1 and 4.4, on a network without normalization and its twin with one
// BN layer.
//
// The twin of layer j has the same weights, and between the linear map's y and what follows it z = gamma*yhat + beta
// with yhat = (y - mean)/sigma, eps = 0, and gamma, beta constant (here 1 and 0). With m elements a channel,
// Theorem 4.1 says for each channel
//   ‖dL̂/dy‖² <= (gamma²/sigma²) (‖g‖² - <1, g>²/m - <g, yhat>²/m).
// Taken with g = dL̂/dz, the twin's own downstream gradient, it is an identity; taken with g = dL/dy of the plain
// network, as printed, it is a claim about networks that need not hold. Observation 4.3: with gamma = sigma and beta =
// mean the twin is the plain network.
//
// Theorem 4.4 bounds the gradient of the weights, dL̂/dW = Xᵀ dL̂/dy, for the worst input X of spectral norm at most
// lambda. That maximum is lambda² ‖dL̂/dy‖², so that its bound is lambda² times that of Theorem 4.1 (the paper prints a
// mixture of g and g²). Here lambda is the spectral norm of the layer's real inputs.
//
// Records under "bn-theory", for each layer: arrays "gradient" = ‖dL̂/dy‖² and "bound" = the printed right side, one
// element a channel; scalars "identity_error", the largest over channels of |left - right|/‖(gamma/sigma) g‖² with the
// twin's g, "holds" = the share of channels for which the printed inequality holds, and "twin_error" = |L̂ - L|/L of
// Observation 4.3. Of Theorem 4.4: array "weight_gradient" = ‖dL̂/dW‖² of each filter, scalars "weight_holds" = the
// share of filters for which that is at most lambda² bound, "weight_worst" = the largest ‖dL̂/dW‖² / (lambda²
// ‖dL̂/dy‖²), at most 1 whatever the network, and "lambda" with its "lambda_residual" and "lambda_converged" (1 or 0).
// "constant_channels" = the number of channels with sigma = 0; if there are any, the twin does not exist and nothing
// else is recorded. Parameters: {"layers": [] for all}. For sequential networks; meant for layers without
// normalization.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind bn_theory_probe();

}  // namespace bnlab
