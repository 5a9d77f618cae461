// How many directions the values of a layer span over different images: does a deep network still tell them apart?
//
// Source: Daneshmand, Kohler, Bach, Hofmann & Lucchi 2020, Batch Normalization Provably Avoids Rank Collapse for
// Randomly Initialised Deep Networks (arXiv 2003.01652).
//
// With H (images, values of the layer): the stable rank ‖H‖²_F / ‖H‖²_2, from 1 (all rows are multiples of one) to the
// number of images; and the mean cosine of the angle between the rows of two images. Statistics of BN are those of the
// images. Computed in double from the network's own values.
//
// Records under "activation-rank", for each watched layer and place: "stable_rank" and "cosine", each behind the
// place's prefix ("linear_", "output_" or none). NaN where a layer's values are all 0 or not finite; "cosine" also if
// an image's are all 0. Parameters: {"layers": [1, 2], "images": 128, "places":
// ["activation-input"]}.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind activation_rank_probe();

}  // namespace bnlab
