// Accuracy and loss on the first images of a split, in evaluation mode (running statistics).
//
// Records under "accuracy", layer 0: "<split>_accuracy" (0 to 1) and "<split>_loss" (mean cross-entropy).
// Parameters: {"split": "test" or "train", "examples": 0 for all}.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind accuracy_probe();

}  // namespace bnlab
