#include "bnlab/ops/batch_norm_composed.h"

#include <ATen/ATen.h>

#include "bnlab/ops/batch_layout.h"

namespace bnlab::ops {

BatchNormGradients composed_backward_training(const at::Tensor& x, const at::Tensor& dy, const at::Tensor& gamma,
                                              double eps) {
  const auto dims = batch_dims(x.dim());
  const auto mean = [&](const at::Tensor& values) { return values.mean(dims, /*keepdim=*/true); };
  const at::Tensor centered = x - mean(x);
  const at::Tensor rstd = (mean(centered * centered) + eps).rsqrt();
  const at::Tensor xhat = centered * rstd;
  const at::Tensor dxhat = gamma.defined() ? dy * per_channel(gamma, x.dim()) : dy;
  return {.dx = rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)),
          .dgamma = (dy * xhat).sum(dims),
          .dbeta = dy.sum(dims)};
}

BatchNormGradients composed_backward_evaluation(const at::Tensor& x, const at::Tensor& dy, const at::Tensor& gamma,
                                                const at::Tensor& mean, const at::Tensor& rstd) {
  const auto dims = batch_dims(x.dim());
  const at::Tensor scale = gamma.defined() ? gamma * rstd : rstd;
  const at::Tensor xhat = (x - per_channel(mean, x.dim())) * per_channel(rstd, x.dim());
  return {.dx = dy * per_channel(scale, x.dim()), .dgamma = (dy * xhat).sum(dims), .dbeta = dy.sum(dims)};
}

}  // namespace bnlab::ops
