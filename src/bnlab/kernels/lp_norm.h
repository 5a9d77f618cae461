// Normalization by the p-norm of a channel, on raw memory. Plain loops: one pass over x for the moments, one for the
// result; one over x and dy for the sums of the backward pass, one for dx. T: float or double; sums in double, in an
// order that depends on the sizes alone.
//
// Source: Santurkar et al. 2018, section 3.3 and appendix A.
#pragma once

#include "bnlab/kernels/shape.h"
#include "bnlab/kernels/status.h"
#include "bnlab/kernels/task_runner.h"

namespace bnlab::kernels {

enum class LpPower { kOne, kTwo, kInfinity };

/// Of each channel, in double: mean, and norm = (mean of |x|^p)^(1/p), for p = infinity max |x|, of the x that is not
/// shifted. Both NaN where a value is.
struct LpMoments {
  double* mean = nullptr;  ///< (C)
  double* norm = nullptr;  ///< (C)
};

/// Errors: kBadShape, kEmptyBatch.
template <class T>
[[nodiscard]] Status lp_moments(const Shape& shape, LpPower power, const T* x, const LpMoments& moments,
                                TaskRunner& runner) noexcept;

/// y = (x - mean)*scale + shift. mean, scale, shift: (C). y may be x.
template <class T>
struct LpAffine {
  Shape shape;
  const T* x = nullptr;
  const double* mean = nullptr;
  const double* scale = nullptr;
  const double* shift = nullptr;
  T* y = nullptr;
};
/// Errors: kBadShape.
template <class T>
[[nodiscard]] Status lp_affine(const LpAffine<T>& args, TaskRunner& runner) noexcept;

/// The derivatives of y = (x - mean)*gamma/(norm + eps) + beta with mean and norm of the batch. The norm's own
/// derivative is sign(x)/M for p = 1, x/(M*norm) for p = 2 (0 where the norm is 0), and for p = infinity sign(x) shared
/// by those x that have the largest |x|; M = N*S.
template <class T>
struct LpBackward {
  Shape shape;
  LpPower power = LpPower::kTwo;
  double eps = 0;
  const T* x = nullptr;
  const T* dy = nullptr;
  const double* mean = nullptr;   ///< (C), of lp_moments
  const double* norm = nullptr;   ///< (C), of lp_moments
  const double* gamma = nullptr;  ///< (C)
  T* dx = nullptr;                ///< neither x nor dy
  double* dgamma = nullptr;       ///< (C)
  double* dbeta = nullptr;        ///< (C)
};
/// Errors: kBadShape, kEmptyBatch, kOutOfMemory (24 bytes a channel).
template <class T>
[[nodiscard]] Status lp_backward(const LpBackward<T>& args, TaskRunner& runner) noexcept;

}  // namespace bnlab::kernels
