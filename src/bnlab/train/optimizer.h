// The optimizer and the learning rate of a run, as its spec names them (kinds: train/optimizer_list.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "bnlab/record/run_spec.h"

namespace torch::optim {
class Optimizer;
}

namespace bnlab {

/// `spec` with all options of its kind, and said in one way: momentum only as an option, and no momentum as "sgd"; no
/// milestones as the schedule "milestones" without any. Throws SpecError naming the key under "optimizer".
OptimizerSpec complete_optimizer(OptimizerSpec spec);

/// A complete spec without the options that are at their default.
OptimizerSpec without_defaults(OptimizerSpec complete);

/// Whether each step is w <- w - rate*gradient, the gradient being that of the loss alone.
bool makes_plain_steps(const OptimizerSpec& spec);

/// In step `step` of a run of `steps`.
double learning_rate(const OptimizerSpec& spec, int64_t step, int64_t steps);

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const OptimizerSpec& spec, std::vector<at::Tensor> parameters);

void set_learning_rate(torch::optim::Optimizer& optimizer, double lr);

}  // namespace bnlab
