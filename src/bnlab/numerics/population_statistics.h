// Population statistics from data, in the place of running averages, which lag behind a network that learns and mean
// nothing at step 0. Source: Ioffe & Szegedy 2015, Algorithm 2, lines 8 to 11.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "bnlab/nn/batch_moments.h"
#include "bnlab/nn/batch_norm.h"
#include "bnlab/nn/network.h"

namespace bnlab {

/// A layer of a network and the moments of all that it got.
struct LayerMoments {
  BatchNorm* layer;
  BatchMoments moments;
};

/// The moments of all values that each BatchNorm layer, in the network's order, gets from `inputs`, in one pass in
/// training mode: a layer sees what the layers before it make of each batch with its own statistics, as in training.
/// Moments of batches are merged in double, not averaged, so that batches may be of any size. Leaves no trace.
/// Throws c10::Error without inputs, if a layer normalizes by other statistics than these (l1, l2, linf), or if it
/// keeps none.
std::vector<LayerMoments> population_moments(Network& network, const std::vector<at::Tensor>& inputs);

/// Sets the running mean and variance of every BatchNorm layer to those moments, the variance unbiased.
/// Parameters, modes and random numbers stay as they are; layers that draw random numbers do so. Errors as above. A
/// network without BN is left alone.
void set_population_statistics(Network& network, const std::vector<at::Tensor>& inputs);

}  // namespace bnlab
