// Santurkar et al. 2018, section 4: Theorem 4.1 and Observation 4.3 on a network that trains.
// Run it: bnlab reproduce --only santurkar-theory
#pragma once

#include "bnlab/experiments/experiment.h"

namespace bnlab {

Experiment santurkar_theory();

}  // namespace bnlab
