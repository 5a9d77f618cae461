// The experiments. A new one is its own file and one line in experiment_list.cpp; help, `list`, the smoke test and the
// report follow.
#pragma once

#include <string>
#include <vector>

#include "bnlab/study/experiment.h"

namespace bnlab {

const std::vector<Experiment>& experiments();

/// Those whose names match one of the comma-separated patterns, in which * stands for any characters ("" means all).
/// Throws std::invalid_argument, naming the pattern and the known names, if a pattern matches none.
std::vector<Experiment> select_experiments(const std::string& patterns);

}  // namespace bnlab
