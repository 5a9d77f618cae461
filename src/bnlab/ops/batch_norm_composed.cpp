#include "bnlab/ops/batch_norm_composed.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "bnlab/ops/batch_layout.h"
#include "bnlab/ops/element_type.h"

namespace bnlab::ops {
namespace {

/// The same values as another node of the graph: differentiating by it leaves out what the original depends on.
at::Tensor separated(const at::Tensor& tensor) {
  return tensor.requires_grad() ? tensor.view_as(tensor) : tensor.detach().requires_grad_();
}

/// The gradients by dy, x and gamma of the backward pass's results, weighted by the cotangents.
/// backward(x, dz, gamma) gives BatchNormGradients.
template <class Backward>
Triple differentiated(const Cotangents& cotangents, const at::Tensor& dy, const at::Tensor& x, const at::Tensor& gamma,
                      const at::Tensor& relu_mask, WantedSecond wanted, const Backward& backward) {
  const bool create_graph = at::GradMode::is_enabled();
  const at::AutoGradMode enable_grad(true);
  const at::ScalarType type = compute_type(x.scalar_type());
  const std::array<at::Tensor, 3> by = {separated(dy), separated(x), gamma.defined() ? separated(gamma) : gamma};

  const at::Tensor dz =
      (relu_mask.defined() ? at::where(relu_mask, by[0], at::zeros({}, dy.options())) : by[0]).to(type);
  const BatchNormGradients first = backward(by[1].to(type), dz, gamma.defined() ? by[2].to(type) : at::Tensor());
  at::Tensor sum = at::zeros({}, x.options().dtype(type));
  const auto add = [&](const OptionalTensor& cotangent, const at::Tensor& result) {
    if (cotangent.has_value()) sum = sum + (cotangent->to(type) * result).sum();
  };
  add(cotangents.ddx, first.dx);
  add(cotangents.ddgamma, first.dgamma);
  add(cotangents.ddbeta, first.dbeta);
  add(cotangents.ddaddend, dz);

  torch::autograd::variable_list inputs;
  for (std::size_t i = 0; i < by.size(); ++i) {
    if (wanted[i] && by[i].defined()) inputs.push_back(by[i]);
  }
  std::array<at::Tensor, 3> gradients;
  const auto found = sum.requires_grad() && !inputs.empty()
                         ? torch::autograd::grad({sum}, inputs, {}, /*retain_graph=*/c10::nullopt, create_graph,
                                                 /*allow_unused=*/true)
                         : torch::autograd::variable_list(inputs.size());
  for (std::size_t i = 0, next = 0; i < by.size(); ++i) {
    if (!wanted[i] || !by[i].defined()) continue;
    gradients[i] = found[next].defined() ? found[next] : at::zeros_like(by[i]);
    ++next;
  }
  return {gradients[0], gradients[1], gradients[2]};
}

}  // namespace

BatchNormGradients composed_backward_training(const at::Tensor& x, const at::Tensor& dz, const at::Tensor& gamma,
                                              double eps) {
  const auto dims = batch_dims(x.dim());
  const auto mean = [&](const at::Tensor& values) { return values.mean(dims, /*keepdim=*/true); };
  const at::Tensor centered = x - mean(x);
  const at::Tensor rstd = (mean(centered * centered) + eps).rsqrt();
  const at::Tensor xhat = centered * rstd;
  const at::Tensor dxhat = gamma.defined() ? dz * per_channel(gamma, x.dim()) : dz;
  return {.dx = rstd * (dxhat - mean(dxhat) - xhat * mean(dxhat * xhat)),
          .dgamma = (dz * xhat).sum(dims),
          .dbeta = dz.sum(dims)};
}

BatchNormGradients composed_backward_evaluation(const at::Tensor& x, const at::Tensor& dz, const at::Tensor& gamma,
                                                const at::Tensor& mean, const at::Tensor& rstd) {
  const auto dims = batch_dims(x.dim());
  const at::Tensor scale = gamma.defined() ? gamma * rstd : rstd;
  const at::Tensor xhat = (x - per_channel(mean, x.dim())) * per_channel(rstd, x.dim());
  return {.dx = dz * per_channel(scale, x.dim()), .dgamma = (dz * xhat).sum(dims), .dbeta = dz.sum(dims)};
}

Triple composed_second_derivative_training(const Cotangents& cotangents, const at::Tensor& dy, const at::Tensor& x,
                                           const at::Tensor& gamma, const at::Tensor& relu_mask, double eps,
                                           WantedSecond wanted) {
  return differentiated(cotangents, dy, x, gamma, relu_mask, wanted,
                        [&](const at::Tensor& at_x, const at::Tensor& dz, const at::Tensor& at_gamma) {
                          return composed_backward_training(at_x, dz, at_gamma, eps);
                        });
}

Triple composed_second_derivative_evaluation(const Cotangents& cotangents, const at::Tensor& dy, const at::Tensor& x,
                                             const at::Tensor& gamma, const at::Tensor& relu_mask,
                                             const at::Tensor& mean, const at::Tensor& rstd, WantedSecond wanted) {
  const at::ScalarType type = compute_type(x.scalar_type());
  return differentiated(cotangents, dy, x, gamma, relu_mask, wanted,
                        [&](const at::Tensor& at_x, const at::Tensor& dz, const at::Tensor& at_gamma) {
                          return composed_backward_evaluation(at_x, dz, at_gamma, mean.to(type), rstd.to(type));
                        });
}

}  // namespace bnlab::ops
