// Keeps the path of the weights: all of them, or their projection onto seeded random directions.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "bnlab/train/training_record.h"

namespace bnlab {

/// `dims` inner products of the concatenated parameters with random vectors whose entries are ±1/sqrt(dims), a function
/// of (seed, entry) alone: E‖Pw‖² = ‖w‖² (Achlioptas 2003). Accumulated in double.
std::vector<float> random_projection(const std::vector<at::Tensor>& parameters, int64_t dims, uint64_t seed);

/// All parameters, concatenated in logical (row-major) order.
std::vector<float> concatenated(const std::vector<at::Tensor>& parameters);

/// Writes a frame of `step` to `record` if `spec` asks for one.
void keep_trajectory(TrainingRecord& record, const TrajectorySpec& spec, int64_t step,
                     const std::vector<at::Tensor>& parameters, uint64_t seed);

}  // namespace bnlab
