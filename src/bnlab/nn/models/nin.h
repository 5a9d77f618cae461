// Network in Network (Lin, Chen & Yan 2014, section 3 and their model for CIFAR-10): convolutions, each followed by two
// of 1×1 pixel.
#pragma once

#include "bnlab/nn/model_list.h"

namespace bnlab {

/// "nin": three blocks 5×5, 1×1, 1×1 | 5×5, 1×1, 1×1 | 3×3, 1×1, 1×1 of 192, 160, 96 | 192, 192, 192 | 192, 192
/// channels at width 1, a pool of 2×2 behind the first two blocks. The ninth convolution gives a map a class, whose
/// means are the outputs: it is the head, without normalization and activation. Left out of the original: dropout; its
/// pools overlap.
ModelKind nin_kind();

}  // namespace bnlab
