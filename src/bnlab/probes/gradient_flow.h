// How large the gradient is that arrives at each layer on its way back through the network.
//
// Source: Yang et al. 2019, A Mean Field Theory of Batch Normalization (arXiv 1902.08129), who ask by which factor it
// grows from layer to layer.
//
// The network's weights and the step's batch are taken to double and passed through forwards and backwards once more,
// so that what shrinks by a factor of four a layer, as with sigmoids, does not underflow. Layers that draw noise draw
// other noise than the step's.
//
// Records under "gradient-flow", for each layer: "linear" and "weight", the L2 norms of the gradient of the batch's
// loss with respect to what the layer's convolution or linear map gives (for all examples together), and with respect
// to its weight. Parameters: {"layers": [1, 2]}; absent or empty: all.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind gradient_flow_probe();

}  // namespace bnlab
