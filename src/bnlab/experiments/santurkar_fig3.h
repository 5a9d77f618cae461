#pragma once

#include "bnlab/experiments/experiment.h"

namespace bnlab {

Experiment santurkar_fig3();

}  // namespace bnlab
