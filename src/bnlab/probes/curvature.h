// The Hessian of the loss of some training images, with BN as in training and as in evaluation: top eigenvalues, trace,
// spectral density.
//
// The common tools (PyHessian, Landscaper, loss-landscape) measure BN networks in evaluation mode. That is another
// function of the weights than the one whose gradient training follows (numerics/mean_loss.h).
//
// The first `images` training images, in batches of `batch` (0: the run's own), as they are in the data. M is "batch"
// (each batch's mean and variance, which depend on the weights: training) or "population" (those of all these images,
// taken anew at these weights, as constants: evaluation; only of a network with BN). K is "" for the Hessian itself, or
// "scaled_" for its entries times ‖w_l‖‖w_m‖, the norms of the parameter tensors that they belong to: the curvature by
// relative change, which does not depend on the scale of weights in front of BN.
//
// Records under "curvature", layer 0:
//   "M_loss"; "M_top_i", i = 1 … `count`, the largest eigenvalues (by value, not by magnitude), and "M_scaled_top_1";
//   "M_gradient_share", how much of ‖∇L‖² lies in the space of the `count` eigenvectors
//   "M_Kresidual", the largest ‖Hv − λv‖ as a share of λ₁, and "M_Kconverged", 1 or 0: whether it is at most
//   `tolerance` for all of them (numerics/eigenvalues.h); "M_Ktrace" and "M_Ktrace_error", its standard error; if
//   `steps` is not 0, arrays "M_nodes" and "M_weights", the Lanczos quadratures of the spectral density from `starts`
//   vectors one behind the other, and "M_density_residual"
// Parameters: {"images": 128, "batch": 0, "count": 3, "products": 500, at most for the eigenvalues, "tolerance": 0.001,
// "probes": 20 vectors for the trace, "steps": 0, "starts": 2, "scaled": true}.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind curvature_probe();

}  // namespace bnlab
