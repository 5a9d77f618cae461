#include "bnlab/train/loss_closure.h"

#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

namespace bnlab {
namespace {

/// Puts other values into a network's parameters for the length of a scope.
class WithParameters {
 public:
  WithParameters(Network& network, const std::vector<at::Tensor>& values) : parameters_(network.parameters()) {
    TORCH_CHECK(values.size() == parameters_.size(), "LossClosure: expected ", parameters_.size(), " parameters, got ",
                values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      own_.push_back(parameters_[i].data());
      parameters_[i].set_data(values[i].detach());
    }
  }
  ~WithParameters() {
    for (size_t i = 0; i < own_.size(); ++i) parameters_[i].set_data(own_[i]);
  }

 private:
  std::vector<at::Tensor> parameters_, own_;
};

}  // namespace

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
  return at::cross_entropy_loss(logits, labels);
}

double LossClosure::loss(const std::vector<at::Tensor>& parameters) const {
  NoTrace no_trace(network_);
  at::NoGradGuard no_grad;
  WithParameters with(network_, parameters);
  return batch_loss(network_.forward(batch_.x), batch_.y).item<double>();
}

std::pair<double, std::vector<at::Tensor>> LossClosure::loss_and_gradient(
    const std::vector<at::Tensor>& parameters) const {
  NoTrace no_trace(network_);
  at::AutoGradMode grad(true);
  WithParameters with(network_, parameters);
  const at::Tensor loss = batch_loss(network_.forward(batch_.x), batch_.y);
  auto gradients = torch::autograd::grad({loss}, network_.parameters());
  return {loss.item<double>(), std::move(gradients)};
}

}  // namespace bnlab
