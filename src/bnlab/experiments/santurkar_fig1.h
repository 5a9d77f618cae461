// Santurkar et al. 2018 (1805.11604), Fig. 1: VGG with and without BN at two learning rates, and the distribution of
// its layers' values over training. Run it: bnlab reproduce --only santurkar-fig1
#pragma once

#include "bnlab/experiments/experiment.h"

namespace bnlab {

Experiment santurkar_fig1();

}  // namespace bnlab
