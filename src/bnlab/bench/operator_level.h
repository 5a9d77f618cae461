// The operator level: our libtorch operators against PyTorch's own, as training calls them below autograd. Every call
// allocates its outputs.
#pragma once

#include <c10/core/Allocator.h>

#include "bnlab/bench/batch_data.h"
#include "bnlab/bench/kernel_level.h"
#include "bnlab/bench/results.h"

namespace bnlab::bench {

/// Which allocator libtorch takes memory from. Both are whole-process settings.
class Allocators {
 public:
  /// Knows the one in use now as the default one, and installs ours (bnlab::ops::install_allocator()).
  Allocators();
  /// Ends with the default one in use.
  ~Allocators() { use(AllocatorKind::kDefault); }
  Allocators(const Allocators&) = delete;
  Allocators& operator=(const Allocators&) = delete;

  void use(AllocatorKind kind) const;

 private:
  c10::Allocator* default_;
  c10::Allocator* caching_;
};

/// Times one batch in NCHW and NHWC (a matrix: once) under the allocator in use, which `allocator` names, and appends a
/// Measurement for each step and contender. The contenders: ours, which in training also updates the running
/// statistics, as PyTorch's does; PyTorch's native_batch_norm, followed by at::add and at::relu where the fused forms
/// are compared; the same with the in-place forms of these two.
/// Where PyTorch has no batch normalization of this type (1.13 has none of float16), it is left out, and a LeftOut says
/// so. A contender whose results are wrong is left out likewise. Throws std::runtime_error if ours are.
/// E: float, double, kernels::BFloat16 or kernels::Float16.
template <class E>
void measure_operators(const BatchData<E>& batch, std::size_t shape_index, kernels::Fusion fusion,
                       AllocatorKind allocator, const LevelOptions& options, Results& results);

}  // namespace bnlab::bench
