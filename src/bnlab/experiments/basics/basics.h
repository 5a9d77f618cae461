// The basics of batch normalization: what it is made of and what it is said to do, each looked at for itself.
#pragma once

#include "bnlab/study/experiment.h"

namespace bnlab {

Experiment scaling();                ///< inputs raw, min-max scaled, z-scored, equalized
Experiment population_statistics();  ///< ways to keep running statistics

}  // namespace bnlab
