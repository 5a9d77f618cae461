// The training backward pass in two operators, for a batch of which several processes hold a part each: they add up the
// sums of the first between them. The forward pass of such a batch is channel_moments, merged, then
// batch_norm_evaluation. The kernels: backward_sums() and backward_by_sums() of bnlab/kernels/batch_norm.h.
#pragma once

#include "bnlab/ops/signatures.h"

namespace bnlab::ops {

/// (sum_dz, sum_dz_xhat): (C) double, over the elements of this part; zeros of an empty one. dz = dy under the mask.
/// mean, rstd: (C) double, of the whole batch. No derivatives.
using BackwardSums = Pair(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd,
                          const OptionalTensor& relu_mask);

/// Which of (dx, daddend) are computed; the others are returned undefined.
using WantedByPart = std::array<bool, 2>;

/// (dx, daddend) of this part. sum_dz, sum_dz_xhat: (C) double, over all parts; count: elements of a channel in all
/// parts. No derivatives. c10::Error if count is less than this part's elements.
using BackwardBySums = Pair(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                            const at::Tensor& mean, const at::Tensor& rstd, const OptionalTensor& relu_mask,
                            const at::Tensor& sum_dz, const at::Tensor& sum_dz_xhat, c10::SymInt count,
                            WantedByPart wanted);

namespace native {
BackwardSums batch_norm_backward_sums;
BackwardBySums batch_norm_backward_by_sums;
}  // namespace native
/// Refuses what requires a gradient or carries a tangent.
namespace autograd {
BackwardSums batch_norm_backward_sums;
BackwardBySums batch_norm_backward_by_sums;
}  // namespace autograd
/// Of ATen's operators, which transforms know, and for values beyond the range of the kernels.
namespace composed {
BackwardSums batch_norm_backward_sums;
BackwardBySums batch_norm_backward_by_sums;
}  // namespace composed

}  // namespace bnlab::ops
