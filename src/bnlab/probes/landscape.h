// Loss and gradient along a training step's own gradient, and along a random direction of the same length.
//
// Source: Santurkar et al. 2018, section 3.1, Fig. 4 and 11. At distances eta, in multiples of the learning rate, on
// the same batch: L(w - eta*g), ||grad L(w) - grad L(w - eta*g)||_2, and the effective beta-smoothness
//   max over eta of ||grad L(w) - grad L(w - eta*g)||_2 / ||eta*g||_2
// and, of the loss itself, the estimate of its Lipschitz constant max over eta of |L(w) - L(w - eta*g)| / ||eta*g||_2.
//
// Records under "landscape": arrays "distance" (eta), "loss" and "gradient_difference", one element a point; scalars
// "loss_low", "loss_high", "difference_low", "difference_high" (over the points), "beta", "lipschitz", "gradient_norm";
// with `random` the same, without the last, under "random_…". Along the random direction g is replaced by a Gaussian
// vector of g's length. Parameters: {"near": 0.5, "far": 4, "points": 8 (in equal ratios), "random": false}.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind landscape_probe();

}  // namespace bnlab
