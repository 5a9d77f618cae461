// The inner loops of one task, compiled for several instruction sets and chosen at run time (instruction_set.h).
// Everything outside is the same for every instruction set; a faster implementation replaces this table only.
#pragma once

#include <span>

#include "bnlab/kernels/cut.h"
#include "bnlab/kernels/element.h"

namespace bnlab::kernels {

/// One array per coefficient, per slot.
template <class T, std::size_t K>
struct Coefficients {
  const T* at[K] = {};
};

// All pointers to elements are to the patch's first element, pointers per slot to its first slot, those into a mask to
// the byte of its first line. T = Compute<E>.

/// z = (x - a0)*a1 + a2, then y = z, max(z, 0) or max(z + addend, 0). Any output may be any input.
template <class E>
struct Normalize {
  const E* x = nullptr;
  Coefficients<Compute<E>, 3> a;
  bool relu = false;
  const E* addend = nullptr;  ///< or nullptr
  E* y = nullptr;
  std::uint8_t* mask = nullptr;  ///< or nullptr
};

/// The sums of dz and of dz*(x - center) over each slot; dz = dy where the mask lets it through.
template <class E>
struct GradientSums {
  const E* x = nullptr;
  const E* dy = nullptr;
  const std::uint8_t* mask = nullptr;  ///< or nullptr
  const Compute<E>* center = nullptr;
  double* sum_dz = nullptr;
  double* sum_dz_x = nullptr;
};

/// dx = dz*a1 + (x - a0)*a2 + a3, or dz*a1 without x; daddend = dz. Any output may be any input.
template <class E>
struct InputGradient {
  const E* x = nullptr;  ///< or nullptr
  const E* dy = nullptr;
  const std::uint8_t* mask = nullptr;  ///< or nullptr
  Coefficients<Compute<E>, 4> a;
  E* dx = nullptr;
  E* daddend = nullptr;  ///< or nullptr
};

/// The sums of v, dz, v*(x - center), dz*(x - center) and v*dz over each slot, v = ddx.
template <class E>
struct SecondSums {
  const E* x = nullptr;
  const E* dy = nullptr;
  const E* ddx = nullptr;
  const std::uint8_t* mask = nullptr;  ///< or nullptr
  const Compute<E>* center = nullptr;
  double* sums[5] = {};
};

/// grad_x = (x - a0)*a1 + v*a2 + dz*a3 + a4; grad_dy = (x - a0)*a5 + v*a6 + a7 + ddaddend where the mask lets it
/// through, else 0.
template <class E>
struct SecondGradients {
  const E* x = nullptr;
  const E* dy = nullptr;
  const E* ddx = nullptr;
  const E* ddaddend = nullptr;         ///< or nullptr
  const std::uint8_t* mask = nullptr;  ///< or nullptr
  Coefficients<Compute<E>, 8> a;
  E* grad_x = nullptr;   ///< or nullptr
  E* grad_dy = nullptr;  ///< or nullptr
};

template <class E>
struct Loops {
  const char* instruction_set;

  /// mean[j], m2[j] = moments of slot j, of rows*run elements each. At least one row.
  void (*moments)(const Patch& patch, const E* x, double* mean, double* m2) noexcept;
  void (*normalize)(const Patch& patch, const Normalize<E>& args) noexcept;
  void (*gradient_sums)(const Patch& patch, const GradientSums<E>& args) noexcept;
  void (*input_gradient)(const Patch& patch, const InputGradient<E>& args) noexcept;
  void (*second_sums)(const Patch& patch, const SecondSums<E>& args) noexcept;
  void (*second_gradients)(const Patch& patch, const SecondGradients<E>& args) noexcept;

  /// Joins the moments of `slots` slots over `rows` more rows to those over `rows_before`; each row has `run` elements.
  void (*join_moments)(std::int64_t slots, double run, double rows_before, double rows, const double* mean,
                       const double* m2, double* all_mean, double* all_m2) noexcept;

  /// var_biased, in place of m2, and rstd of `channels` channels of `count` elements each.
  void (*deviations)(std::int64_t channels, double count, double eps, double* m2, double* rstd) noexcept;
};

/// The versions that this processor runs, the fastest first; never empty.
template <class E>
[[nodiscard]] std::span<const Loops<E>* const> supported_loops() noexcept;

/// The one in use; nullptr after a bad BNLAB_FORCE_ISA.
template <class E>
[[nodiscard]] const Loops<E>* loops() noexcept;

}  // namespace bnlab::kernels
