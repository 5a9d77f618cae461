// Batch normalization on raw memory: training and evaluation, forward, backward and second derivative, plain or fused
// with ReLU or with an addition and ReLU. Source: Ioffe & Szegedy 2015, Algorithm 1 and section 3.
//
// Notation. E is the type that elements are stored in (float, double, BFloat16 or Float16), Compute<E> that of the
// arithmetic. x, y, dx, dy, addend, ...: the elements of a Shape. gamma, beta, dgamma, dbeta: (C) of Compute<E>; gamma
// == nullptr means 1, beta == nullptr means 0. Statistics are (C) of double for every E: a mean rounded to float would
// already cost half an ulp of the mean, which is much at mean/std = 1e4.
//
// Edge cases. A constant channel has var_biased = 0 exactly and y = beta exactly (if eps > 0; with eps = 0 its y is
// NaN). One element per channel is a constant channel: allowed here, refused by the operators. In training NaN and
// infinities make their channel NaN and leave others alone; ReLU passes NaN on, as PyTorch's does. Denormals are not
// flushed. C = 0 and, in evaluation, an empty batch are done at once. All results are bitwise the same for any number
// of threads.
//
// Range. rstd is served from 2^-40 to 2^40, in double from 2^-400 to 2^400, and means up to a thousandth of the largest
// number; a constant channel up to 1e150 always. Beyond, squares overflow and coefficients lose digits: kOutOfRange
// (range.h).
//
// Every function can return kBadShape, kOutOfRange, kOutOfMemory and kBadInstructionSet; further errors are named.
#pragma once

#include <cstddef>

#include "bnlab/kernels/element.h"
#include "bnlab/kernels/shape.h"
#include "bnlab/kernels/status.h"
#include "bnlab/kernels/task_runner.h"

namespace bnlab::kernels {

/// What happens to z = gamma*xhat + beta before it is stored.
enum class Fusion {
  kNone,     ///< y = z
  kRelu,     ///< y = max(z, 0)
  kAddRelu,  ///< y = max(z + addend, 0): the end of a residual block
};

/// Bytes of a ReLU mask: a bit per element, lines padded to bytes. Which bit is whose is the kernels' own business: a
/// mask is read by the backward functions, with the same shape, and by nothing else. 0 for an invalid shape.
[[nodiscard]] std::size_t relu_mask_bytes(const Shape& shape) noexcept;

template <class E>
struct ForwardTraining {
  Shape shape;
  const E* x = nullptr;
  const Compute<E>* gamma = nullptr;
  const Compute<E>* beta = nullptr;
  double eps = 0;  ///< in units of x squared
  Fusion fusion = Fusion::kNone;
  const E* addend = nullptr;          ///< read for kAddRelu only
  E* y = nullptr;                     ///< may be x if no backward follows; may be addend
  std::uint8_t* relu_mask = nullptr;  ///< out: relu_mask_bytes(); nullptr if no backward follows
  double* mean = nullptr;             ///< out
  double* rstd = nullptr;             ///< out: 1/sqrt(var_biased + eps)
  double* var_biased = nullptr;       ///< out: mean of (x - mean)^2 over the count() elements of a channel
};

/// Per channel: y = gamma*(x - mean)*rstd + beta with the batch's own mean and biased variance, then the fusion.
/// Errors: kEmptyBatch, kBadEps.
template <class E>
[[nodiscard]] Status forward_training(const ForwardTraining<E>& args, TaskRunner& runner) noexcept;

template <class E>
struct ForwardEvaluation {
  Shape shape;
  const E* x = nullptr;
  const Compute<E>* gamma = nullptr;
  const Compute<E>* beta = nullptr;
  const double* mean = nullptr;
  const double* rstd = nullptr;
  Fusion fusion = Fusion::kNone;
  const E* addend = nullptr;          ///< read for kAddRelu only
  E* y = nullptr;                     ///< may be x, if no backward follows; may be addend
  std::uint8_t* relu_mask = nullptr;  ///< out: relu_mask_bytes(); nullptr if no backward follows
};

/// Per channel: y = gamma*(x - mean)*rstd + beta with given statistics, then the fusion.
template <class E>
[[nodiscard]] Status forward_evaluation(const ForwardEvaluation<E>& args, TaskRunner& runner) noexcept;

/// Arguments of both backward passes. An output that is nullptr is not computed.
template <class E>
struct Backward {
  Shape shape;
  const E* x = nullptr;
  const E* dy = nullptr;
  const Compute<E>* gamma = nullptr;
  const double* mean = nullptr;             ///< as in the forward pass
  const double* rstd = nullptr;             ///< as in the forward pass
  const std::uint8_t* relu_mask = nullptr;  ///< of the forward pass; nullptr for Fusion::kNone
  E* dx = nullptr;                          ///< may be dy or x
  Compute<E>* dgamma = nullptr;
  Compute<E>* dbeta = nullptr;
  E* daddend = nullptr;  ///< for kAddRelu: dz; may be dy
};

/// With dz = dy where the mask is set, else 0 (dz = dy without a mask), xhat = (x - mean)*rstd and means over a
/// channel's elements:
/// dx = gamma*rstd*(dz - mean(dz) - xhat*mean(dz*xhat)), dgamma = sum(dz*xhat), dbeta = sum(dz), daddend = dz.
/// Errors: kEmptyBatch.
template <class E>
[[nodiscard]] Status backward_training(const Backward<E>& args, TaskRunner& runner) noexcept;

/// The statistics are constants: dx = gamma*rstd*dz, the others as above.
/// x is read for dgamma only and may be nullptr without it.
template <class E>
[[nodiscard]] Status backward_evaluation(const Backward<E>& args, TaskRunner& runner) noexcept;

// backward_training in two phases, for a batch of which several processes hold a part each: between them they add up
// their sums. The first phase of forward_training is channel_moments (moments.h), merged over the parts; its second is
// forward_evaluation. With one part, the phases give the bits of backward_training.

/// The first phase. mean and rstd: of the whole batch.
template <class E>
struct BackwardSums {
  Shape shape;  ///< of this part; it may be empty
  const E* x = nullptr;
  const E* dy = nullptr;
  const double* mean = nullptr;
  const double* rstd = nullptr;
  const std::uint8_t* relu_mask = nullptr;  ///< as in Backward
  double* sum_dz = nullptr;                 ///< out, (C)
  double* sum_dz_xhat = nullptr;            ///< out, (C)
};

/// sum_dz = sum(dz), sum_dz_xhat = sum(dz*xhat) over this part's elements of a channel; 0 if there are none.
template <class E>
[[nodiscard]] Status backward_sums(const BackwardSums<E>& args, TaskRunner& runner) noexcept;

/// The second phase.
template <class E>
struct BackwardBySums {
  Shape shape;  ///< of this part; it may be empty
  const E* x = nullptr;
  const E* dy = nullptr;
  const Compute<E>* gamma = nullptr;
  const double* mean = nullptr;
  const double* rstd = nullptr;
  const std::uint8_t* relu_mask = nullptr;
  const double* sum_dz = nullptr;       ///< over all parts
  const double* sum_dz_xhat = nullptr;  ///< over all parts
  std::int64_t count = 0;               ///< elements of a channel in all parts
  E* dx = nullptr;                      ///< may be dy or x; nullptr if not wanted
  E* daddend = nullptr;                 ///< for kAddRelu: dz; may be dy; nullptr if not wanted
};

/// dx = gamma*rstd*(dz - sum_dz/count - xhat*sum_dz_xhat/count), daddend = dz.
/// Errors: kBadShape if count is less than this part's.
template <class E>
[[nodiscard]] Status backward_by_sums(const BackwardBySums<E>& args, TaskRunner& runner) noexcept;

/// Arguments of both second derivatives: the gradients of
///   sum(ddx*dx) + sum(ddgamma*dgamma) + sum(ddbeta*dbeta) + sum(ddaddend*daddend)
/// by x, dy and gamma, where dx ... daddend are the results of a backward pass. An output that is nullptr is not
/// computed; a cotangent that is nullptr is 0.
template <class E>
struct SecondDerivative {
  Shape shape;
  const E* x = nullptr;
  const E* dy = nullptr;
  const Compute<E>* gamma = nullptr;
  const double* mean = nullptr;
  const double* rstd = nullptr;
  const std::uint8_t* relu_mask = nullptr;
  const E* ddx = nullptr;
  const Compute<E>* ddgamma = nullptr;
  const Compute<E>* ddbeta = nullptr;
  const E* ddaddend = nullptr;
  E* grad_x = nullptr;   ///< aliases nothing
  E* grad_dy = nullptr;  ///< aliases nothing
  Compute<E>* grad_gamma = nullptr;
};

/// The second derivative of forward_training. The ReLU's mask is a constant, as everywhere but at z = 0.
/// Derived in docs/operators/second-derivative.md. Errors: kEmptyBatch.
template <class E>
[[nodiscard]] Status second_derivative_training(const SecondDerivative<E>& args, TaskRunner& runner) noexcept;

/// The second derivative of forward_evaluation: the statistics are constants.
template <class E>
[[nodiscard]] Status second_derivative_evaluation(const SecondDerivative<E>& args, TaskRunner& runner) noexcept;

}  // namespace bnlab::kernels
