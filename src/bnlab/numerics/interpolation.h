// Parameters between those of several networks: on a line, a triangle, a bilinear patch. Source: Goodfellow, Vinyals &
// Saxe 2014 (1412.6544); Im, Tao & Branson 2016 (1612.04010), section 3.
//
// Of parameters only: running statistics are no parameters, and those between two networks' belong to neither. An
// interpolated network with BN gets its statistics from data (set_population_statistics(), or batch statistics).
//
// A state is a network's parameters in the order of Network::parameters(). All states of a call have the same shapes
// and types, else c10::Error. Weights may lie outside of 0 to 1. Computed in double and rounded once; a corner's own
// weights give its bits. The result shares no memory with the states.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <vector>

#include "bnlab/nn/network.h"

namespace bnlab {

using ParameterState = std::vector<at::Tensor>;

/// A copy of the network's parameters.
ParameterState parameter_state(const Network& network);

/// (1 - t)·a + t·b
ParameterState on_line(const ParameterState& a, const ParameterState& b, double t);

/// (1 - s - t)·a + s·b + t·c
ParameterState on_triangle(const ParameterState& a, const ParameterState& b, const ParameterState& c, double s,
                           double t);

/// (1 - s)(1 - t)·c₀₀ + s(1 - t)·c₁₀ + (1 - s)t·c₀₁ + st·c₁₁, for corners {c₀₀, c₁₀, c₀₁, c₁₁}.
ParameterState on_patch(const std::array<ParameterState, 4>& corners, double s, double t);

}  // namespace bnlab
