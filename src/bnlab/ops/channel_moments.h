// Mean and sum of squared deviations per channel as an operator: what can be merged over batches, in double.
// The kernel and the formula for merging: bnlab/kernels/moments.h.
#pragma once

#include "bnlab/ops/signatures.h"

namespace bnlab::ops {

/// (mean, m2): (C) double each, m2 = sum of (x - mean)^2 over the values of a channel. No gradients.
/// x: (N,C) or (N,C,*) of rank 2 to 5, float, double, bfloat16 or float16. An empty batch gives zeros; a NaN makes its
/// channel NaN and no other. Bitwise the same for any number of threads.
using ChannelMoments = Pair(const at::Tensor& x);

namespace native {
ChannelMoments channel_moments;
}
/// Refuses an x that requires a gradient, or carries a tangent: the moments are no function to be differentiated.
namespace autograd {
ChannelMoments channel_moments;
}
/// Of ATen's operators, which transforms know.
namespace composed {
ChannelMoments channel_moments;
}

}  // namespace bnlab::ops
