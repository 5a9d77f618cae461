#include "bnlab/train/optimizer.h"

#include <torch/optim/sgd.h>

namespace bnlab {

double learning_rate(const OptimizerSpec& spec, int64_t step) {
  double lr = spec.lr;
  for (const int64_t milestone : spec.milestones) {
    if (milestone <= step) lr *= spec.factor;
  }
  return lr;
}

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const OptimizerSpec& spec, std::vector<at::Tensor> parameters) {
  const auto options = torch::optim::SGDOptions(spec.lr).momentum(spec.momentum).weight_decay(spec.weight_decay);
  return std::make_unique<torch::optim::SGD>(std::move(parameters), options);
}

void set_learning_rate(torch::optim::Optimizer& optimizer, double lr) {
  for (auto& group : optimizer.param_groups()) group.options().set_lr(lr);
}

}  // namespace bnlab
