// The gradient of the batch's loss with respect to the network's outputs, image by image: where a gradient begins its
// way back, and how alike it is for different images.
//
// Source: Bjorck et al. 2018 (arXiv 1806.02375), Fig. 6: gradients in the final layer, images in rows and classes in
// columns.
//
// Records under "output-gradients", layer 0: array "gradients" (images, outputs; f32) of the first `images` of the
// step's batch; of all images of the batch, in double: "cosine", the mean cosine between the gradients of two different
// images (images whose gradient is exactly 0 have no direction and are left out; NaN if fewer than two remain);
// "largest_class", the share of the sum of all squares that lies in the output with most of it (NaN if all are 0);
// "same_answer", the share of images whose largest output is the one that is the largest most often.
// Parameters: {"images": 64}.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind output_gradients_probe();

}  // namespace bnlab
