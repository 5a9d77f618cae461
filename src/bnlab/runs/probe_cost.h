// What the probes of specs cost, and how much less often they must look so that they keep a budget.
#pragma once

#include <vector>

#include "bnlab/runs/data_facts.h"

namespace bnlab {

/// Estimated cost of all looks of a complete spec's probes, in training steps of the run.
double probe_cost(const TrainSpec& spec, const DataFacts& data);

/// Lets every probe that can be thinned look n times less often.
void thin_probes(TrainSpec& spec, int64_t n);

/// The one thinning for runs that are compared with each other: the smallest n with which by estimate the probes of
/// none of the complete `specs` cost more than the share `budget` (e.g. 0.05) of its steps. If none is enough for one
/// of them, an n with which its thinnable probes look once. Looks after the last step are not thinned.
int64_t thinning_for(double budget, const std::vector<RunSpec>& specs, const DataFacts& data);

}  // namespace bnlab
