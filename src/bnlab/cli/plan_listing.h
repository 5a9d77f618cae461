// What a request would compute, as data: for schedulers, and for people who want to know before.
#pragma once

#include "bnlab/cli/common.h"
#include "bnlab/record/parse_json.h"

namespace bnlab {

/// The runs of all experiments, each once: seed by seed, in the order of the experiments. So there is soon something to
/// see, and the first seed of everything is done before the second seed of anything.
std::vector<PlannedRun> runs_in_order(const std::vector<PlannedExperiment>& planned);

/// An array with an object for each run: id, title, seed, kind, threads (of a process), ranks (processes), inputs (ids
/// of runs that must have ended before) and seconds (estimated, on one of this project's machines).
Json plan_listing(const Request& request);

}  // namespace bnlab
