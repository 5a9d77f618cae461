// The processes that train one network together, as a layer and the training loop see them. What they say to each other
// goes through here alone: bnlab/ranks/ has the one over libtorch's c10d; tests have threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace bnlab {

/// Every function but rank() and size() is collective: all ranks call it, in the same order, with tensors of the same
/// sizes and types. The results are bitwise the same on all ranks, and from run to run at the same size().
/// All throw RanksError (bnlab/ranks/gloo_ranks.h) when another rank is lost or does not answer in time.
class Ranks {
 public:
  virtual ~Ranks() = default;
  [[nodiscard]] virtual std::int64_t rank() const = 0;
  [[nodiscard]] virtual std::int64_t size() const = 0;

  /// (size(), *values.sizes()): the values of each rank, in their order. values: dense, on the CPU.
  virtual at::Tensor gather(const at::Tensor& values) = 0;

  /// Begins to replace `values` (dense) by the sum over all ranks. It must not be touched until what is returned has
  /// been called, which waits for the end. Several may be under way.
  virtual std::function<void()> begin_sum(at::Tensor values) = 0;

  /// Replaces `values` (dense) by rank 0's.
  virtual void take_from_first(at::Tensor values) = 0;
};

}  // namespace bnlab
