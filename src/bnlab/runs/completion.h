// From a spec as a person or an experiment writes it to the spec that is hashed.
#pragma once

#include "bnlab/probes/probe_list.h"
#include "bnlab/runs/network_facts.h"

namespace bnlab {

/// The spec with every default filled in (options of models, normalizations and probes; the number of threads by rule),
/// so that equal work has equal ids. `data`: the data at hand; a spec may name a synthetic set instead. Throws
/// SpecError naming the key for whatever cannot run on data of this shape.
RunSpec complete_run_spec(RunSpec spec, const DataFacts& data);

/// What the probes of `spec`, which must outlive it, are checked against and made with.
ProbeSetting probe_setting(const TrainSpec& spec, const NetworkFacts& network, const DataFacts& at_hand);

}  // namespace bnlab
