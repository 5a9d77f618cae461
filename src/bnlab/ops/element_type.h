// From libtorch's element types to the kernels'.
#pragma once

#include <ATen/core/Tensor.h>

#include "bnlab/kernels/element.h"

namespace bnlab::ops {

/// Whether the kernels know batches of this type.
inline bool is_element(at::ScalarType type) {
  return type == at::kFloat || type == at::kDouble || type == at::kBFloat16 || type == at::kHalf;
}
inline constexpr const char* kElementTypes = "Float, Double, BFloat16 or Half";

/// The type of gamma, beta and their gradients for batches of this type: its own, or Float for one of 16 bits.
inline at::ScalarType compute_type(at::ScalarType element) {
  return element == at::kBFloat16 || element == at::kHalf ? at::kFloat : element;
}

/// Calls f(E{}) with the kernels' element type E: float, double, kernels::BFloat16 or kernels::Float16.
template <class F>
void with_element(at::ScalarType type, const F& f) {
  switch (type) {
    case at::kFloat:
      return f(float{});
    case at::kDouble:
      return f(double{});
    case at::kBFloat16:
      return f(kernels::BFloat16{});
    case at::kHalf:
      return f(kernels::Float16{});
    default:
      TORCH_CHECK(false, "bnlab: expected elements of type ", kElementTypes, ", got ", type, ".");
  }
}

/// The elements of a contiguous or dense tensor; nullptr for an undefined one. at::BFloat16 and kernels::BFloat16 are
/// the same 16 bits, and so are at::Half and kernels::Float16.
template <class T>
T* data_or_null(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) : nullptr;
}

}  // namespace bnlab::ops
