// Santurkar et al. 2018, section 4: Theorems 4.1, 4.2 and 4.4 and Observation 4.3 on a network that trains, Lemma 4.5
// on least squares. Run it: bnlab reproduce --only santurkar-theory
#pragma once

#include "bnlab/experiments/experiment.h"

namespace bnlab {

Experiment santurkar_theory();

}  // namespace bnlab
