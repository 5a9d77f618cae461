// From a spec as a person or an experiment writes it to the spec that is hashed and stored, and to the one that is run.
#pragma once

#include "bnlab/probes/probe_list.h"
#include "bnlab/runs/network_facts.h"

namespace bnlab {

/// The spec as it is hashed and stored: checked, with what rules decide (the number of threads) and without whatever is
/// at its default, also among the options of models, normalizations and optimizers and the parameters of probes and
/// analyses. So equal work has equal ids, and a new option changes no id. `data`: the data at hand; a spec may name a
/// synthetic set instead. Throws SpecError naming the key for whatever cannot run on data of this shape.
RunSpec complete_run_spec(RunSpec spec, const DataFacts& data);

/// The same run with every default filled in: for those who make probes and analyses, and for people.
RunSpec full_run_spec(RunSpec spec, const DataFacts& data);

/// What the probes of `spec`, which must be full and outlive it, are checked against and made with.
ProbeSetting probe_setting(const TrainSpec& spec, const NetworkFacts& network, const DataFacts& at_hand);

}  // namespace bnlab
