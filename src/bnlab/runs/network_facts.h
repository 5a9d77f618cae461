// What specs and costs need to know of a network without training it.
#pragma once

#include "bnlab/nn/network_facts.h"
#include "bnlab/runs/data_facts.h"

namespace bnlab {

/// What goes into the spec's network and comes out: the data's shape, pooled and padded as the spec asks.
TaskShape task_of(const TrainSpec& spec, const DataFacts& at_hand);

/// Of a spec's network on data of this shape. Throws SpecError naming the key if the network does not fit the data.
/// Made once for each network.
NetworkFacts network_facts(const TrainSpec& spec, const DataFacts& at_hand);

/// Multiply-accumulates of a rank's training step: forward, and twice as many backward.
double step_macs(const TrainSpec& spec, const NetworkFacts& network);

}  // namespace bnlab
