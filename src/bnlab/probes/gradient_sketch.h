// A short image of every step's gradient, from which the shape of the path can be read afterwards: angles between the
// gradients of any two steps, and, for plain gradient descent, between any two pieces of the path.
//
// The image is a count sketch (Charikar, Chen & Farach-Colton 2002): each parameter is added to one of `size` sums,
// with a sign, both fixed once. It is linear, and inner products come out right up to about |a||b|/sqrt(size).
//
// Records under "gradient-sketch": array "sketch" (size), scalar "norm" = ‖g‖₂ (exact) and "rate", the learning rate.
// Parameters: {"size": 2048}.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind gradient_sketch_probe();

}  // namespace bnlab
