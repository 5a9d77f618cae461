// Ours (row M14): if BN smooths the landscape, why does its gradient still swing from step to step; is the descent a
// spiral? Run it: bnlab reproduce --only open-question-spiral
#pragma once

#include "bnlab/experiments/experiment.h"

namespace bnlab {

Experiment open_question_spiral();

}  // namespace bnlab
