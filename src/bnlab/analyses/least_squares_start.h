// Santurkar et al. 2018, Lemma 4.5, on least squares: how far a random start is from the optimum of a linear model, and
// of the same model with BN behind it.
//
// The model is XW for the images X of a run's data (pooled to 8x8 cells, centred, in coordinates that make X of full
// rank, so that there is one optimum; 2,000 of them), fitted to +1 for one class and -1 for all others, centred; one
// problem a class. W* is its least-squares solution. The BN model is gamma*BN(XW) + beta with gamma = sigma(XW*) and
// beta = mean(XW*), so that every k W*, k > 0, is an optimum of it (which is checked, since the lemma assumes it). For
// W0 with <W0, W*> > 0 and What the closest such optimum, the lemma says
//   ‖W0 - What‖² <= ‖W0 - W*‖² - (‖W*‖² - <W*, W0>)² / ‖W*‖².
// `What` is found by a search along k, not by the formula of the proof. Starts are drawn normal, their length from 1/4
// to 4 times that of W*; those with <W0, W*> <= 0 do not meet the lemma's precondition and are kept, marked.
//
// Input: any train run on images, for its data. Records for each class c under "least-squares-start", step c, layer 0:
// arrays, one element a start, "closest" = the left side, "bound" = the right side, "plain" = ‖W0 - W*‖² (all three in
// units of ‖W*‖²) and "meets" (1 or 0); scalars "optimum_gradient" = the largest ratio, over starts that meet it, of
// the BN model's gradient at What to that at W0, and "excess" = the largest |loss at What - loss of XW*| / loss of XW*.
// Parameters: {"starts": 100 a class}.
#pragma once

#include "bnlab/analyses/analysis_list.h"

namespace bnlab {

AnalysisKind least_squares_start_analysis();

}  // namespace bnlab
