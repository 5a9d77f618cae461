#include "bnlab/train/loss_closure.h"

#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

namespace bnlab {
WithValues::WithValues(std::vector<at::Tensor> parameters, const std::vector<at::Tensor>& values)
    : parameters_(std::move(parameters)) {
  TORCH_CHECK(values.size() == parameters_.size(), "expected the values of ", parameters_.size(), " parameters, got ",
              values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    own_.push_back(parameters_[i].data());
    parameters_[i].set_data(values[i].detach());
  }
}

WithValues::~WithValues() {
  for (size_t i = 0; i < own_.size(); ++i) parameters_[i].set_data(own_[i]);
}

std::vector<at::Tensor> moved(const std::vector<at::Tensor>& parameters, const std::vector<at::Tensor>& direction,
                              double distance) {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> result;
  for (size_t i = 0; i < parameters.size(); ++i) result.push_back(parameters[i].sub(direction[i], distance));
  return result;
}

NoTrace::NoTrace(Network& network) : random_state_(at::detail::getDefaultCPUGenerator().get_state()) {
  for (const auto& buffer : network.buffers()) buffers_.emplace_back(buffer, buffer.clone());
  for (const auto& module : network.modules()) modes_.emplace_back(module, module->is_training());
}

NoTrace::~NoTrace() {
  at::NoGradGuard no_grad;
  for (auto& [buffer, saved] : buffers_) buffer.copy_(saved);
  // Module::train() recurses and modules() lists parents before children, so each module's own mode is set last.
  for (auto& [module, training] : modes_) module->train(training);
  at::Generator(at::detail::getDefaultCPUGenerator()).set_state(random_state_);
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
