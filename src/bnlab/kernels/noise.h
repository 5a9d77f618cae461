// Noise of a mean and a scale of each channel, on raw memory: drawn as it is applied, and stored nowhere.
//
// The random numbers of a value depend on the key and on the value's logical place (n, c, s) alone. So a backward pass
// draws those of its forward pass again, and they are the same bits for any number of threads, in both layouts and on
// every instruction set (noise.cpp is compiled without fused multiply-adds).
#pragma once

#include "bnlab/kernels/philox.h"
#include "bnlab/kernels/shape.h"
#include "bnlab/kernels/status.h"
#include "bnlab/kernels/task_runner.h"

namespace bnlab::kernels {

/// y = s*x + m, or s*x without `mean`, rounded after each operation. For each value of channel c,
/// s ~ N(scale[c], standard deviation scale_spread) and m ~ U(mean[c] - mean_spread, mean[c] + mean_spread).
///
/// Values n = 2k and 2k + 1 at the place p = c*S + s share the four words of philox({p, k, 0, 0}, key): the first two
/// give both normals by Box & Muller's transformation (at most 6.7 standard deviations), each of the others a uniform.
struct AffineNoise {
  Shape shape;
  const float* x = nullptr;
  const float* scale = nullptr;  ///< (C)
  const float* mean = nullptr;   ///< (C), or nullptr for no m
  float scale_spread = 0;
  float mean_spread = 0;
  PhiloxKey key = {};
  float* y = nullptr;  ///< may be x
};

/// Errors: kBadShape, also for a sample or a batch of more than 2^32 values or pairs; kOutOfMemory (12 bytes for each
/// value of a sample); kBadInstructionSet.
[[nodiscard]] Status affine_noise(const AffineNoise& args, TaskRunner& runner) noexcept;

}  // namespace bnlab::kernels
