// Internal covariate shift of a deep linear network from its matrices alone, beside what the probe "ics" measured.
//
// For y = W_k … W_1 x and L = ‖y - Ax‖² summed over the samples, with E = W_k … W_1 x - Ax,
//   dL/dW_i = 2 (W_k … W_{i+1})ᵀ E (W_{i-1} … W_1 x)ᵀ.
// G is that at (W_1 … W_k), G' the same with W_j - rate*G_j for j < i. In double precision.
//
// Input: a train run of model "dln" without normalization that kept its weights, observed by "ics" at those steps.
// Records for each layer and kept step: "l2" = ‖G - G'‖₂, "gradient_norm" = ‖G‖₂; for the whole (layer 0) "difference":
// the largest, over layers, of |l2 - the probe's l2| / ‖G‖₂. No parameters.
#pragma once

#include "bnlab/analyses/analysis_list.h"

namespace bnlab {

AnalysisKind dln_closed_form_analysis();

}  // namespace bnlab
