#include "bnlab/train/loss_closure.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

namespace bnlab {
std::vector<at::Tensor> moved(const std::vector<at::Tensor>& parameters, const std::vector<at::Tensor>& direction,
                              double distance) {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> result;
  for (size_t i = 0; i < parameters.size(); ++i) result.push_back(parameters[i].sub(direction[i], distance));
  return result;
}

at::Tensor batch_loss(const at::Tensor& logits, const at::Tensor& labels) {
  if (labels.is_floating_point()) return (logits - labels).square().sum();
  return at::cross_entropy_loss(logits, labels);
}

double LossClosure::loss(const std::vector<at::Tensor>& parameters) const {
  NoTrace no_trace(network_);
  at::NoGradGuard no_grad;
  const WithValues with(network_.parameters(), parameters);
  return batch_loss(network_.forward(batch_.x), batch_.y).item<double>();
}

std::pair<double, std::vector<at::Tensor>> LossClosure::loss_and_gradient(
    const std::vector<at::Tensor>& parameters) const {
  NoTrace no_trace(network_);
  at::AutoGradMode grad(true);
  const WithValues with(network_.parameters(), parameters);
  const at::Tensor loss = batch_loss(network_.forward(batch_.x), batch_.y);
  auto gradients = torch::autograd::grad({loss}, network_.parameters());
  return {loss.item<double>(), std::move(gradients)};
}

}  // namespace bnlab
