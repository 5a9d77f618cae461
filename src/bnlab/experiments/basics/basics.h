// Experiments on the basics: what a textbook, or the original papers, say about batch normalization.
#pragma once

#include "bnlab/study/experiment.h"

namespace bnlab {

Experiment scaling();                ///< inputs raw, min-max scaled, z-scored, equalized
Experiment affine();                 ///< why gamma and beta?
Experiment population_statistics();  ///< ways to keep running statistics
Experiment results_depth();          ///< gradients by layer in deep networks
Experiment results_batch_size();     ///< BN and the size of the batch
Experiment placement();              ///< BN before or behind the ReLU?

}  // namespace bnlab
