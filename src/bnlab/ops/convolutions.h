// Whether libtorch's own convolutions are right on this machine, and what is done if they are not.
//
// Why: oneDNN 3.7.2, which Debian 13's PyTorch 2.6 computes them with, leaves garbage where channels are padded to a
// whole vector, on processors with AVX2 or AVX-512: outputs and input gradients of a Conv2d whose numbers of channels
// are no multiples of 16 are wrong, by as much as their own size, or NaN, and nothing says so.
#pragma once

#include <ATen/core/Tensor.h>

namespace bnlab::ops {

/// Whether small convolutions of floats, as libtorch computes them now, have the outputs and input gradients that
/// doubles give.
[[nodiscard]] bool convolutions_are_right();

/// Makes libtorch compute without oneDNN for the rest of the process if convolutions are wrong with it. True if this
/// call did so. A program that wants oneDNN regardless turns it on again afterwards.
bool avoid_wrong_convolutions();

/// The sentence to show where avoid_wrong_convolutions() is true.
constexpr const char* kConvolutionsWereWrong =
    "the convolutions of this libtorch are wrong on this processor (known of oneDNN 3.7, as Debian 13 has it), so "
    "oneDNN is "
    "now off in this process (torch.backends.mkldnn): results are right, convolutions slower.";

}  // namespace bnlab::ops
