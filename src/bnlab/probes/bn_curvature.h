// Both sides of Santurkar et al. 2018, Theorem 4.2: the loss's curvature in the direction of its own gradient, on a
// network and its twin with one BN layer (bn_twin.h; gamma = 1, beta = 0).
//
// For a channel of m elements let v = dL̂/dy and let H be the Hessian of the plain network's loss with respect to the
// channel's y, g its gradient. The theorem says
//   vᵀ (d²L̂/dy²) v <= (gamma²/sigma²) vᵀHv - gamma/(m sigma²) <g, yhat> ‖v‖²,                             (first form)
// and, where H preserves the relative norms of g and v,
//   vᵀ (d²L̂/dy²) v <= (gamma²/sigma²) (gᵀHg - <g, yhat> ‖v‖² / (m gamma)).                                (second form)
// With Hessian and gradient taken at the twin's own z the first form is an identity, since v is orthogonal to 1 and to
// yhat; with the plain network's it is a claim about networks that need not hold. We read the second form's
// precondition as: of vᵀHv and gᵀHg the one is larger whose vector is longer.
//
// Records under "bn-curvature", for each layer: arrays, one element an observed channel, "curvature" = the left side,
// "identity" = the right side with the twin's own, "first", "second", "precondition" (1 or 0); scalars "identity_error"
// = the largest |curvature - identity| / (‖v‖ ‖(gamma²/sigma²) H v‖ + |second term|), "first_holds" = the share of
// channels for which the first form holds, "second_holds" = that of the second form among the channels that meet its
// precondition (absent if there are none), and "meets_precondition" = the share that does. Nothing where a channel of
// the layer has sigma = 0: there is no twin then.
// Parameters: {"layers": [] for all, "channels": 4 of each layer, evenly spaced}. Each channel costs four backward
// passes of second order.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind bn_curvature_probe();

}  // namespace bnlab
