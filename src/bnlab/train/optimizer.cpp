#include "bnlab/train/optimizer.h"

#include <torch/optim/optimizer.h>

#include "bnlab/train/optimizer_list.h"

namespace bnlab {
namespace {

constexpr char kMomentum[] = "momentum";  // the kind, and the option of this and other kinds

bool has_momentum(const OptimizerKind& kind) {
  for (const OptionInfo& option : kind.options) {
    if (option.name == kMomentum) return true;
  }
  return false;
}

/// `momentum` moved to where it belongs.
OptimizerSpec with_momentum_as_option(OptimizerSpec spec) {
  if (!spec.momentum) return spec;
  const double momentum = *spec.momentum;
  spec.momentum.reset();
  if (spec.name == "sgd") {
    if (momentum == 0) return spec;
    spec.name = kMomentum;
  }
  if (!has_momentum(find_optimizer_kind(spec.name))) {
    throw SpecError("optimizer.momentum", "the optimizer " + spec.name + " has no momentum; leave it out");
  }
  if (!spec.options.emplace(kMomentum, momentum).second) {
    throw SpecError("optimizer.momentum", "is given as an option too; leave one of the two out");
  }
  return spec;
}

}  // namespace

OptimizerSpec complete_optimizer(OptimizerSpec spec) try {
  spec = with_momentum_as_option(std::move(spec));
  spec.options = complete_options(find_optimizer_kind(spec.name).options, spec.options, "the optimizer " + spec.name);
  if ((spec.name == kMomentum || spec.name == "nesterov") && spec.options.number(kMomentum) == 0) {
    spec.name = "sgd";
    spec.options.clear();
  }
  find_schedule_kind(spec.schedule);
  if (spec.schedule != "milestones" && !spec.milestones.empty()) {
    throw SpecError("optimizer.milestones", "are for the schedule milestones, not for " + spec.schedule);
  }
  if (spec.schedule == "constant") spec.schedule = "milestones";
  if (spec.milestones.empty()) spec.factor = OptimizerSpec().factor;
  return spec;
} catch (const OptionError& error) {
  throw SpecError("optimizer", error.what());
}

OptimizerSpec without_defaults(OptimizerSpec complete) {
  complete.options = without_defaults(find_optimizer_kind(complete.name).options, std::move(complete.options));
  return complete;
}

bool makes_plain_steps(const OptimizerSpec& spec) {
  return complete_optimizer(spec).name == "sgd" && spec.weight_decay == 0;
}

double learning_rate(const OptimizerSpec& spec, int64_t step, int64_t steps) {
  return find_schedule_kind(spec.schedule).rate(spec, step, steps);
}

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const OptimizerSpec& spec, std::vector<at::Tensor> parameters) {
  const OptimizerSpec complete = complete_optimizer(spec);
  return find_optimizer_kind(complete.name).make(complete, std::move(parameters));
}

void set_learning_rate(torch::optim::Optimizer& optimizer, double lr) {
  for (auto& group : optimizer.param_groups()) group.options().set_lr(lr);
}

}  // namespace bnlab
