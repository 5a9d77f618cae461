// What a run will cost.
#pragma once

#include "bnlab/runs/data_facts.h"

namespace bnlab {

/// Estimated seconds of a complete spec on one of this machine's cores times its threads: to order and to plan, not to
/// promise. From the multiply-accumulates of its network at a fixed rate, and what its
/// probes say that they cost.
double estimated_seconds(const RunSpec& spec, const DataFacts& data);

}  // namespace bnlab
