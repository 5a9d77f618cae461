// The kinds of optimizers and of learning-rate schedules. A new one is an entry in optimizer_list.cpp, and a test.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bnlab/nn/options.h"
#include "bnlab/record/run_spec.h"

namespace torch::optim {
class Optimizer;
}

namespace bnlab {

struct OptimizerKind {
  std::string name;     ///< as in a run spec, e.g. "adam"
  std::string meaning;  ///< its update; g is the gradient with the weight decay added
  std::vector<OptionInfo> options;
  /// Of a complete spec of this kind. All its state is in torch::optim::Optimizer::save() and load().
  std::function<std::unique_ptr<torch::optim::Optimizer>(const OptimizerSpec& spec, std::vector<at::Tensor> parameters)>
      make;
};

const std::vector<OptimizerKind>& optimizer_kinds();

/// Throws OptionError listing the known kinds.
const OptimizerKind& find_optimizer_kind(const std::string& name);

struct ScheduleKind {
  std::string name;     ///< as in a run spec
  std::string meaning;  ///< in one sentence
  /// The learning rate of a step, in a run of `steps`.
  std::function<double(const OptimizerSpec& spec, int64_t step, int64_t steps)> rate;
};

const std::vector<ScheduleKind>& schedule_kinds();

/// Throws OptionError listing the known kinds.
const ScheduleKind& find_schedule_kind(const std::string& name);

}  // namespace bnlab
