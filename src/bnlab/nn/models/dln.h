// The deep linear network of Santurkar et al. 2018, appendix A: square linear layers without activation and bias.
#pragma once

#include "bnlab/nn/model_list.h"

namespace bnlab {

/// "dln": `layers` linear layers as wide as the input, numbered in the order in which they are applied; a normalization
/// behind the first `normalized` of them.
ModelKind dln_kind();

}  // namespace bnlab
