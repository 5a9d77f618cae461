// Experiments on the basics: what a textbook, or the original papers, say about batch normalization.
#pragma once

#include "bnlab/study/experiment.h"

namespace bnlab {

Experiment scaling();                ///< inputs raw, min-max scaled, z-scored, equalized
Experiment affine();                 ///< why gamma and beta?
Experiment population_statistics();  ///< ways to keep running statistics
Experiment convolution();            ///< one mean and variance a channel
Experiment backward();               ///< what BN does to a gradient
Experiment sigmoid_saturation();     ///< sigmoids with and without BN
Experiment results_depth();          ///< gradients by layer in deep networks
Experiment chasing_game();           ///< a unit behind a layer that also learns
Experiment results_batch_size();     ///< BN and the size of the batch
Experiment sync_batch_size();        ///< BN where several processes share a batch
Experiment placement();              ///< BN before or behind the ReLU?

// What BN is said to bring.
Experiment results_speed();           ///< how many steps it saves
Experiment results_rates();           ///< how high a learning rate it allows
Experiment results_generalization();  ///< does it regularize?

}  // namespace bnlab
