// Loss and accuracy between finished networks: on the lines that join them, on the lines from where they started, and
// on planes through them. Source: Im, Tao & Branson 2016 (1612.04010), section 3; Goodfellow, Vinyals & Saxe 2014.
//
// Measured on one batch, the first `images` training images, in training mode: BN normalizes each layer by the mean and
// variance of these very images at that point of the line. Running statistics are not used, nor interpolated.
//
// Records under "loss-surfaces", step 0, inputs counted from 1:
//   layer i: "norm", of the parameters; "travelled", their distance from the run's start; "from_start_loss" and
//     "from_start_accuracy" at start + t (end - start), t = 0 to 1.5 by steps of 1/parts
//   layer i, for each input j above i, i at most `hubs`: "to_j_distance"; "to_j_loss" and "to_j_accuracy" at
//     t = 0 to 1 by steps of 1/parts from i to j
//   layer 0, if `side` is not 0, (side, side): "triangle_loss" at start + s (end 1 - start) + t (end 2 - start), of the
//     first input's start; of four inputs or more "patch_loss" on the bilinear patch with the corners 1, 2, 3 (t = 1),
//     4 (s = t = 1). Rows: t, columns: s, both -0.25 to 1.25.
// Nothing if a run diverged.
//
// Parameters: {"images": 500, "parts": 10 (even), "hubs": 0 (all inputs), "side": 0 or 6k + 1, so that 0 and 1 are
// among s}. Inputs: two train runs or more, which differ in their optimizer or their seed alone.
#pragma once

#include "bnlab/analyses/analysis_list.h"

namespace bnlab {

AnalysisKind loss_surfaces_analysis();

}  // namespace bnlab
