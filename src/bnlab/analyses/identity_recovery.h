// Whether BN can be inserted into a finished network and change nothing. (Ioffe & Szegedy 2015, section 3.)
//
// The network is one without normalization. Its twin has the same weights and BN behind every convolution or linear map
// but the head. Both see the same images; the twin normalizes by their statistics (training mode).
//   recovered:    gamma = sqrt(var_biased + eps), beta = mean, of what the plain network has there on these images
//   standardized: gamma = 1, beta = 0
//
// Input: a train run of a model of layers, without normalization, on images. Records under "identity-recovery", step 0,
// for each layer what its activation function gets, and as layer 0 the network's outputs: "recovered" = the largest
// |recovered twin - plain| in units of the plain values' standard deviation over the layer; "standardized" = the root
// of the mean square of standardized twin - plain in those units. For each layer also "mean" = the largest |mean| of a
// channel of the standardized twin, "variance" = the largest |variance - v/(v + eps)|, v: the variance of the same
// channel in front of its BN. A diverged input records nothing. Parameters: {"images": 128}.
#pragma once

#include "bnlab/analyses/analysis_list.h"

namespace bnlab {

AnalysisKind identity_recovery_analysis();

}  // namespace bnlab
