// Optimizers and learning-rate schedules, as a run spec names them.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "bnlab/record/run_spec.h"

namespace torch::optim {
class Optimizer;
}

namespace bnlab {

/// lr * factor^(number of milestones that are <= step).
double learning_rate(const OptimizerSpec& spec, int64_t step);

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const OptimizerSpec& spec, std::vector<at::Tensor> parameters);

void set_learning_rate(torch::optim::Optimizer& optimizer, double lr);

}  // namespace bnlab
