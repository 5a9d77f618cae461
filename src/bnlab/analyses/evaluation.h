// A finished network's loss and accuracy on a whole split, in evaluation mode.
//
// Records under "evaluation", layer 0, step 0: "accuracy" and "loss". A diverged run counts as guessing: accuracy
// 1/classes, loss ln(classes). Parameters: {"split": "test" or "train"}; one input, a train run.
#pragma once

#include "bnlab/analyses/analysis_list.h"

namespace bnlab {

AnalysisKind evaluation_analysis();

}  // namespace bnlab
