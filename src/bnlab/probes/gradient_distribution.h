// How the elements of a layer's weight gradient are distributed: how large they are, and how heavy the tails are.
//
// Source: Bjorck et al. 2018 (arXiv 1806.02375), Fig. 2. Hill 1975, "A simple general approach to inference about the
// tail of a distribution": of the n magnitudes |g| in falling order, k largest and the one after them give
//
//     1/k Σ_{i <= k} ln(|g|_i / |g|_{k+1}),
//
// the reciprocal of the tail index α if P(|g| > t) falls as t^-α; the larger, the heavier the tail. It depends on
// where the tail is cut, so that it is given at several cuts.
//
// Records under "gradient-distribution", for each layer, of the step's gradient of the weight of its convolution or
// linear map, in double: "norm" (L2), "deviation" (standard, about the mean), "kurtosis" (excess; NaN if all elements
// are equal), "hill_K" for each K of "per_mille": of the K ‰ largest magnitudes, at least one (NaN if the one after
// them is 0 or not there); array "quantiles" (f32): all elements, sorted, or if they are more than `quantiles`, so many
// of them at even distances of rank, with the smallest and the largest.
// Parameters: {"layers": [1, 2]; absent or empty: all, "per_mille": [10, 20, 50, 100], "quantiles": 1025}.
#pragma once

#include "bnlab/probes/probe_list.h"

namespace bnlab {

ProbeKind gradient_distribution_probe();

}  // namespace bnlab
