// What a run's scaling makes of its inputs, and of a table of ten people (data/ten_people.h).
//
// Records under "scaled-inputs", of the first 2,000 training images as the network gets them, layer 0: at step 0
// "mean", "std" (biased), "least", "most" and "samples" (4,000 of their values, sorted); at step k "image" (H,W), the
// first image of label k, the mean over its channels. Layer 1, 2 …, step 0: "table" (10), a column of the table, scaled
// by what was fitted on the table; not with the scaling "equalize-image", which a table has no images for. No
// parameters; one input, a train run on images with labels, for its data.
#pragma once

#include "bnlab/analyses/analysis_list.h"

namespace bnlab {

AnalysisKind scaled_inputs_analysis();

}  // namespace bnlab
