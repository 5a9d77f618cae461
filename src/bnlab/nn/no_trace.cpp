#include "bnlab/nn/no_trace.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

namespace bnlab {

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

}  // namespace bnlab
