// Ours (row M29): does a network without activations have internal covariate shift?
// Run it: bnlab reproduce --only dln-ics
#pragma once

#include "bnlab/experiments/experiment.h"

namespace bnlab {

Experiment dln_ics();

}  // namespace bnlab
