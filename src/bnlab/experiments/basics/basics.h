// Experiments on the basics: what a textbook, or the original papers, say about batch normalization.
#pragma once

#include "bnlab/study/experiment.h"

namespace bnlab {

Experiment scaling();                ///< inputs raw, min-max scaled, z-scored, equalized
Experiment affine();                 ///< why gamma and beta?
Experiment population_statistics();  ///< ways to keep running statistics
Experiment placement();              ///< BN before or behind the ReLU?

// What BN is said to bring.
Experiment results_speed();           ///< how many steps it saves
Experiment results_rates();           ///< how high a learning rate it allows
Experiment results_generalization();  ///< does it regularize?

}  // namespace bnlab
