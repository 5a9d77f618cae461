// CaffeNet (Jia et al. 2014, after Krizhevsky et al. 2012) for small images: the network in which caffenet-benchmark
// (Mishkin et al. 2016) compares places of BN.
#pragma once

#include "bnlab/nn/model_list.h"

namespace bnlab {

/// "caffenet": convolutions of 96 (5×5), 256 (5×5), 384, 384 and 256 channels (3×3), a pool of 2×2 behind the first,
/// second and fifth, two linear layers of 2048 units, at width 1; a linear layer as head. Seven layers with a
/// normalization. Unlike the original, whose images are larger: strides of 1, a first kernel of 5 instead of 11, no
/// groups, pools that do not overlap, no local response normalization, no dropout.
ModelKind caffenet_kind();

}  // namespace bnlab
