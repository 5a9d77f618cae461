// The inner loops of one task, compiled for several instruction sets and chosen once at run time.
// Everything outside is the same for every instruction set; a faster implementation replaces this table only.
#pragma once

#include <span>

#include "bnlab/kernels/cut.h"

namespace bnlab::kernels {

/// Per-slot factors of y = (x - center)*scale + offset.
template <class T>
struct Affine {
  const T* center = nullptr;
  const T* scale = nullptr;
  const T* offset = nullptr;
};

/// Per-slot factors of dx = dy*scale + (x - center)*slope + offset.
template <class T>
struct InputGradient {
  const T* center = nullptr;
  const T* scale = nullptr;
  const T* slope = nullptr;
  const T* offset = nullptr;
};

/// Pointers to elements are to the patch's first element, pointers per slot to its first slot.
template <class T>
struct Loops {
  const char* instruction_set;

  /// mean[j], m2[j] = moments of slot j, of rows*run elements each. At least one row.
  void (*moments)(const Patch& patch, const T* x, double* mean, double* m2) noexcept;

  /// sum_dy[j] = sum of dy, sum_dy_x[j] = sum of dy*(x - center[j]) over slot j.
  void (*gradient_sums)(const Patch& patch, const T* x, const T* dy, const T* center, double* sum_dy,
                        double* sum_dy_x) noexcept;

  /// y may be x.
  void (*affine)(const Patch& patch, const T* x, const Affine<T>& factors, T* y) noexcept;

  /// dx may be x or dy.
  void (*input_gradient)(const Patch& patch, const T* x, const T* dy, const InputGradient<T>& factors, T* dx) noexcept;
};

/// The versions that this processor runs, the fastest first; never empty.
template <class T>
[[nodiscard]] std::span<const Loops<T>* const> supported_loops() noexcept;

/// The fastest of them.
template <class T>
[[nodiscard]] const Loops<T>& loops() noexcept {
  return *supported_loops<T>().front();
}

}  // namespace bnlab::kernels
