// Singular values of products of random matrices: what a stack of linear layers does to its inputs, and to gradients,
// before training.
//
// Source: Bjorck et al. 2018 (arXiv 1806.02375), section 4 and Fig. 7. Theory: numerics/fuss_catalan.h.
//
// A_1, A_2, … have independent normal entries of variance 1/size, drawn by the seed; looked at is A_s…A_1 for each s of
// `factors`, so that a longer product of a seed begins with the shorter one. In double. Singular values below 1e-16 of
// the largest are lost in it: the smallest one, which the condition number needs, is the reciprocal of the largest of
// A_1⁻¹…A_s⁻¹, which is multiplied up beside it.
//
// No inputs. Records under "random-products", step 0, layer s: arrays "singular_values", rising, and "theory", what the
// Fuss-Catalan law of order s has in the middle of their ranks; scalars "distance" = the largest difference between the
// distribution function of their squares and the law's (Kolmogorov's), "log_spread" = ln of the largest over the
// (lower) median, "log_condition" = ln of the largest over the smallest. Layer 0: "lyapunov_spread", by which theory
// has "log_condition" grow a factor in long products.
// Parameters: {"size": 200 (even), "factors": [1, 2, 5, 10] (rising)}.
#pragma once

#include "bnlab/analyses/analysis_list.h"

namespace bnlab {

AnalysisKind random_products_analysis();

}  // namespace bnlab
