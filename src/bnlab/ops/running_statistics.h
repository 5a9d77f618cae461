// The running statistics of batch normalization, by which it evaluates. Source: Ioffe & Szegedy 2015, Algorithm 2
// (expectations over batches, with the unbiased variance); the exponential form is PyTorch's.
//
// One convention for all modes: running = (1 - w)*running + w*batch, where running_var averages the unbiased variance
// var_biased*count/(count - 1).
#pragma once

#include "bnlab/ops/signatures.h"

namespace bnlab::ops {

/// Takes one batch into the running statistics. Changes those of the arguments that follow momentum:
///
/// - `running_mean, running_var`: (C) float, double, bfloat16 or float16, of one type.
/// - `num_batches_tracked`: one number, or none; counts the batches taken.
/// - `window_mean, window_var`: (K,C), both of running_mean's type or double, or none.
/// - `skipped`: one number, or none.
/// - `last_step`: one number, or none; then `step`, which is not changed, too.
///
/// Three modes:
///
/// - momentum from 0 to 1: w = momentum, the exponential average.
/// - no momentum: w = 1/(batches so far, this one included), the mean over all batches. Needs num_batches_tracked.
/// - a window: the mean over the last K batches; momentum is not used. This batch is written to slot
///   num_batches_tracked % K, and running = the mean over the filled slots: the first
///   min(K, num_batches_tracked + 1), without those whose window_var is negative. So a window whose window_var begins
///   with -1 can start at any num_batches_tracked. Needs num_batches_tracked.
///
/// With `skipped`, a batch whose mean or variance is not finite in any channel, or not in the running statistics' type,
/// changes nothing but skipped += 1. Without, NaN and infinities go in, and finite values whose statistics are beyond
/// the type are an error.
///
/// With `step` and `last_step`, nothing is changed if they are equal; else last_step = step, and the rest as above: one
/// batch a step is taken, in graphs too, which hold no Python.
///
/// mean, var_biased: (C) double; count: values per channel, at least 2. Computed in double and rounded once. Nothing is
/// changed if an argument is wrong (c10::Error). What is changed must not overlap in memory.
RunningUpdate update_running_statistics;

/// What an evaluation takes: (C) double, mean = running_mean and rstd = 1/sqrt(running_var + eps). No gradients.
/// running_mean, running_var: (C) float, double, bfloat16 or float16.
EvaluationStatistics evaluation_statistics;

/// The largest number of a type that running statistics may have.
double largest_of(at::ScalarType type);

/// The arguments of evaluation_statistics: their sizes.
void check_running(const at::Tensor& running_mean, const at::Tensor& running_var);

/// The arguments of update_running_statistics. Throws c10::Error.
RunningUpdate check_update;

}  // namespace bnlab::ops
