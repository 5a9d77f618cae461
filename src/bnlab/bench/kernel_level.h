// The kernel level: our kernels on raw memory against oneDNN's primitive and against the limit of memory. All outputs
// are allocated beforehand.
#pragma once

#include "bnlab/bench/batch_data.h"
#include "bnlab/bench/kernel_peer.h"
#include "bnlab/bench/measure.h"
#include "bnlab/bench/memory_limit.h"
#include "bnlab/bench/results.h"

namespace bnlab::bench {

struct LevelOptions {
  MeasureOptions measure;
  Caches caches;
  int threads = 2;
  MakeKernelPeer make_peer = make_onednn_peer;
};

/// Times one batch in all layouts, in the same rounds: ours in NCHW and NHWC, oneDNN in these and in its blocked
/// layout, and the limit of each of ours. Appends to results: a Measurement for each step and contender, an OurResult
/// for each of our layouts. oneDNN has no double and no fused addition: there is no peer then. Where it lacks a type,
/// or its results are wrong (referee.h), it is left out, and a LeftOut says so. Throws std::runtime_error if our
/// results are wrong or our layouts disagree, or if a kernel reports an error. E: float, double, kernels::BFloat16 or
/// kernels::Float16.
template <class E>
void measure_kernels(const BatchData<E>& batch, std::size_t shape_index, kernels::Fusion fusion,
                     const LevelOptions& options, Results& results);

}  // namespace bnlab::bench
