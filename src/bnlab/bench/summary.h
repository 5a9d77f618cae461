// A benchmark in a few numbers, and as JSON.
#pragma once

#include <vector>

#include "bnlab/bench/comparison.h"
#include "bnlab/bench/results.h"
#include "bnlab/record/json_fields.h"

namespace bnlab::bench {

/// Geometric means over the shapes of peer time / our time (forward + backward pass), null where nothing was measured:
///
///     pytorch, pytorch_caching        {nchw, nhwc}: plain BN, operator level, under the default allocator and ours
///     onednn                          {nchw, nhwc, best_layout}: plain BN, kernel level
///     fused                           BN+ReLU and BN+add+ReLU against separate operators: {pytorch_nchw,
///     pytorch_nhwc},
///                                     against in-place ones {pytorch_inplace_…}, both also under our allocator
///                                     {…_caching}; BN+ReLU against oneDNN's {onednn_nchw, onednn_nhwc}
///     evaluation                      the forward pass of plain BN in evaluation: {pytorch_nchw, …, onednn_nhwc}
///     limit                           our time / the limit, above the last-level cache, all fusions and layouts
///     limit_detail                    the same {nchw, nhwc}, and against memcpy's speed alone {memcpy}
///     worst                           the smallest ratio of a shape against a peer: {ratio, interval, shape, sizes,
///                                     layout, fusion, level, allocator, peer}
///     worst_pass                      likewise of a single pass, evaluation included, with {pass}
///     slower                          how many comparisons of `worst`'s kind have an interval that ends below 0.95
///
/// A matrix counts in both layouts.
[[nodiscard]] Json summarize(const Results& results, const std::vector<Comparison>& comparisons);

/// Everything: {schema_version, bnlab, environment, settings, summary, comparisons, measurements, our_results,
/// left_out}. left_out: a list of {contender, level, why, sentence}; where why is "not-implemented", with the number of
/// {cases}; where it is "wrong-result", with {allocator, shape, layout, fusion}.
[[nodiscard]] Json to_json(const Results& results);

}  // namespace bnlab::bench
