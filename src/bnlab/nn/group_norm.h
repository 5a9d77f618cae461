// Normalizations that look at one sample alone, and the layer that only scales: what batch normalization is compared
// with. They work alike in training and in evaluation.
#pragma once

#include "bnlab/nn/norm_list.h"

namespace bnlab {

/// "group": libtorch's group normalization over `groups` groups of channels, gamma and beta by channel. Wu & He 2018.
/// Throws OptionError where `groups` does not divide the channels.
NormKind group_norm_kind();

/// "layer": over all channels and positions of a sample, which is group normalization with one group; gamma and beta by
/// channel, so that it fits convolutions. For (N,C) it is Ba et al. 2016's.
NormKind layer_norm_kind();

/// "scale": y = gamma*x + beta by channel, without any normalization.
NormKind scale_kind();

}  // namespace bnlab
