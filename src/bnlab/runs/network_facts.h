// What specs and costs need to know of a network without training it.
#pragma once

#include "bnlab/runs/data_facts.h"

namespace bnlab {

/// Number of parameters, layers and multiply-accumulates of an example, of a spec's network on data of this shape.
struct NetworkFacts {
  int64_t parameters = 0;
  int64_t layers = 0;
  int64_t macs = 0;
  bool sequential = false;  ///< a SequentialNetwork
};

/// Throws SpecError naming the key if the network does not fit the data. Made once for each network.
NetworkFacts network_facts(const TrainSpec& spec, const DataFacts& at_hand);

/// Multiply-accumulates of a training step: forward, and twice as many backward.
double step_macs(const TrainSpec& spec, const NetworkFacts& network);

}  // namespace bnlab
