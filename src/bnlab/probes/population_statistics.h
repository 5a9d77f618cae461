// How near the running statistics of BN come to the moments that its layers really have, for several ways to keep them.
//
// Watches the batch moments of every step, from which it keeps, side by side, running statistics by exponential
// averages of momentum 0.1 and 0.01, by the mean over all batches, and by the mean over the last 1, 10 and 100
// (Ioffe & Szegedy 2015, Algorithm 2, with its unbiased variance; the arithmetic is that of the layer). At every
// measure_every-th step, and at the end if it is shown that, it passes the first `training` images through the network
// at its present weights, in batches of the run's size ("exact"), and records:
//
//   layer 0: ESTIMATOR + "_accuracy"  on the first `examples` test images (0: all), evaluated with those statistics;
//            also of "exact"; ESTIMATOR + "_mean_error", the mean over layers
//   BN layer i: ESTIMATOR + "_mean_error"  root mean square over channels of (mean - exact) / exact deviation
//               ESTIMATOR + "_log_variance"  mean over channels of ln(variance / exact variance)
//
// where ESTIMATOR is "momentum-0.1", "momentum-0.01", "cumulative", "last-1", "last-10" or "last-100". It must be shown
// every step from the first. Parameters: measure_every (50), examples (1000), training (10000).
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind population_statistics_probe();

}  // namespace bnlab
