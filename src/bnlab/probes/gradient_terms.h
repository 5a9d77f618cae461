// A weight's gradient is a sum over the images of the batch and the places of the feature map: how much of it do its
// terms take from each other?
//
// Source: Bjorck et al. 2018 (arXiv 1806.02375), section 3.3 and Table 1. For the weight (o, i, k, l) of a convolution
// the term of image b and place (x, y) is d = dL/dy[b, o, x, y] times what input channel i has under (k, l) there.
// A weight's Σ|d| is Σ|dL/dy|·|input|, that is, the gradient that magnitudes in place of values would give: no term is
// written down.
//
// Passes the step's batch through and back once more (layers that draw noise draw other noise than the step's); sums in
// double. Of a linear map the terms are those of the images alone. Records under "gradient-terms", for each layer, as
// means over its weights: "absolute" = Σ|d|, "sum" = |Σd|, the mean magnitude of the gradient.
// Parameters: {"layers": [1, 2]; absent or empty: all}. In a network of layers that do not stand in a row, as
// ResNet, layer n is taken to get what layer n - 1 gives.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind gradient_terms_probe();

}  // namespace bnlab
