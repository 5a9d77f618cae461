// What a learning rate means for weights in front of a normalization, which does not see their scale.
//
// If a network gives the same for w and for c w, its gradient is orthogonal to w, every step of gradient descent makes
// w longer, and the direction of w turns as it would at the rate lr/‖w‖² for w of length 1. Weight decay then does not
// make the network simpler: it keeps that effective rate up. Source: van Laarhoven 2017, L2 Regularization versus Batch
// and Weight Normalization (arXiv 1706.05350); Zhang, Wang, Xu & Grosse 2019 (arXiv 1810.12281).
//
// Records under "effective-rate", for each layer's weight w (of its convolution or linear map) and the gradient g of
// the batch's loss, without weight decay: "norm", ‖w‖; "cosine", <w, g>/(‖w‖ ‖g‖), NaN if one of them is 0; and
// "effective_rate", lr/‖w‖². Parameters: {"layers": [1, 2]}; absent or empty: all.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind effective_rate_probe();

}  // namespace bnlab
