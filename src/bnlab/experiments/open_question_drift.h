// Ours (row M28): is the drift of activations' moments the same thing as internal covariate shift by gradients?
// Run it: bnlab reproduce --only open-question-drift
#pragma once

#include "bnlab/experiments/experiment.h"

namespace bnlab {

Experiment open_question_drift();

}  // namespace bnlab
