// Batch normalization on raw memory: training and evaluation, forward and backward, for T = float and double.
// Source: Ioffe & Szegedy 2015, Algorithm 1 and section 3.
//
// x, y, dx, dy: the elements of a Shape. gamma, beta, dgamma, dbeta: (C) of T; gamma == nullptr means 1,
// beta == nullptr means 0. Statistics are (C) of double for both types: a mean rounded to float would already cost
// half an ulp of the mean, which is much at mean/std = 1e4.
//
// Edge cases. A constant channel has var_biased = 0 exactly and y = beta exactly (if eps > 0; with eps = 0 its y is
// NaN). One element per channel is a constant channel: allowed here, refused by the operators. NaN and infinities make
// their channel NaN and leave the others alone. C = 0 and, in evaluation, an empty batch are done at once. All results
// are bitwise the same for any number of threads.
#pragma once

#include "bnlab/kernels/shape.h"
#include "bnlab/kernels/status.h"
#include "bnlab/kernels/task_runner.h"

namespace bnlab::kernels {

template <class T>
struct ForwardTraining {
  Shape shape;
  const T* x = nullptr;
  const T* gamma = nullptr;
  const T* beta = nullptr;
  double eps = 0;                ///< in units of x squared
  T* y = nullptr;                ///< may be x, if no backward follows
  double* mean = nullptr;        ///< out
  double* rstd = nullptr;        ///< out: 1/sqrt(var_biased + eps)
  double* var_biased = nullptr;  ///< out: mean of (x - mean)^2 over the count() elements of a channel
};

/// Per channel: y = gamma*(x - mean)*rstd + beta with the batch's own mean and biased variance.
/// Errors: kBadShape, kEmptyBatch, kBadEps, kOutOfMemory.
template <class T>
[[nodiscard]] Status forward_training(const ForwardTraining<T>& args, TaskRunner& runner) noexcept;

template <class T>
struct ForwardEvaluation {
  Shape shape;
  const T* x = nullptr;
  const T* gamma = nullptr;
  const T* beta = nullptr;
  const double* mean = nullptr;
  const double* rstd = nullptr;
  T* y = nullptr;  ///< may be x
};

/// Per channel: y = gamma*(x - mean)*rstd + beta with given statistics. Errors: kBadShape, kOutOfMemory.
template <class T>
[[nodiscard]] Status forward_evaluation(const ForwardEvaluation<T>& args, TaskRunner& runner) noexcept;

/// Arguments of both backward passes. An output that is nullptr is not computed.
template <class T>
struct Backward {
  Shape shape;
  const T* x = nullptr;
  const T* dy = nullptr;
  const T* gamma = nullptr;
  const double* mean = nullptr;  ///< as in the forward pass
  const double* rstd = nullptr;  ///< as in the forward pass
  T* dx = nullptr;               ///< may be dy or x
  T* dgamma = nullptr;
  T* dbeta = nullptr;
};

/// With xhat = (x - mean)*rstd and means over a channel's elements:
/// dx = gamma*rstd*(dy - mean(dy) - xhat*mean(dy*xhat)), dgamma = sum(dy*xhat), dbeta = sum(dy).
/// Errors: kBadShape, kEmptyBatch, kOutOfMemory.
template <class T>
[[nodiscard]] Status backward_training(const Backward<T>& args, TaskRunner& runner) noexcept;

/// The statistics are constants: dx = gamma*rstd*dy, dgamma = sum(dy*xhat), dbeta = sum(dy).
/// x is read for dgamma only and may be nullptr without it. Errors: kBadShape, kOutOfMemory.
template <class T>
[[nodiscard]] Status backward_evaluation(const Backward<T>& args, TaskRunner& runner) noexcept;

}  // namespace bnlab::kernels
