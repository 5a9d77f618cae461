#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/jit/passes/fold_conv_bn.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "bnlab/kernels/moments.h"
#include "bnlab/model_files/model_error.h"
#include "bnlab/ops/library.h"
#include "bnlab/torchscript/script_graph.h"
#include "bnlab/torchscript/script_pass.h"
#include "bnlab/torchscript/torchscript.h"

namespace bnlab::torchscript {
namespace {

using model_files::ModelFileError;
using torch::jit::Module;

std::string saved(const Module& module) {
  std::ostringstream stream;
  module.save(stream);
  return stream.str();
}

/// Each module in the mode that it was found in, when this ends.
class InEvaluationMode {
 public:
  explicit InEvaluationMode(Module module) : module_(std::move(module)) {
    for (const Module& each : module_.modules()) {
      if (each.hasattr("training")) modes_.emplace_back(each, each.attr("training").toBool());
    }
    for (auto& [each, mode] : modes_) each.setattr("training", false);
  }
  ~InEvaluationMode() {
    for (auto& [each, mode] : modes_) each.setattr("training", mode);
  }
  InEvaluationMode(const InEvaluationMode&) = delete;
  InEvaluationMode& operator=(const InEvaluationMode&) = delete;

 private:
  Module module_;
  std::vector<std::pair<Module, bool>> modes_;
};

bool has_statistics(const ScriptGraph& script, const ScriptNorm& norm) {
  return norm.has_module && known_value(script.module, norm.node->input(3)).isTensor() &&
         known_value(script.module, norm.node->input(4)).isTensor();
}

void refuse_fixed_training(const ScriptGraph& script) {
  for (const ScriptNorm& norm : script.norms) {
    if (norm.training_is_fixed && norm.training) {
      throw ModelFileError(
          fmt::format("was traced in training mode ({}); bnlab freeze it first, or export it again "
                      "after model.eval()",
                      norm.name));
    }
  }
}

void check_channels(const ScriptGraph& script, const ScriptNorm& norm, const at::Tensor& input) {
  const c10::IValue mean = known_value(script.module, norm.node->input(3));
  if (input.dim() >= 2 && (!mean.isTensor() || mean.toTensor().numel() == input.size(1))) return;
  throw ModelFileError(fmt::format(
      "cannot be run on these inputs: {} would normalize another number of channels than it has", norm.name));
}

/// The moments of a layer's inputs over all data.
std::vector<kernels::Moments> moments_of(const ObservedPass& pass, const ScriptGraph& script, const std::string& layer,
                                         const at::Tensor& inputs, std::int64_t batch) {
  std::vector<kernels::Moments> moments;
  const auto look = [&](std::size_t index, const at::Tensor& input) {
    if (script.norms[index].name != layer) return false;
    check_channels(script, script.norms[index], input);
    const auto [mean, m2] = ops::dispatched::channel_moments.call(input.detach());
    const std::int64_t channels = mean.numel();
    moments.resize(static_cast<std::size_t>(channels));
    const std::int64_t count = input.numel() / channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      kernels::Moments& at = moments[static_cast<std::size_t>(c)];
      at = kernels::merge(at, {count, mean.data_ptr<double>()[c], m2.data_ptr<double>()[c]});
    }
    // A layer that is called again later in the pass has not been seen whole.
    return std::count_if(script.norms.begin(), script.norms.end(),
                         [&](const ScriptNorm& norm) { return norm.name == layer; }) == 1 &&
           norms_are_in_a_row(script);
  };
  for_each_batch(inputs, batch, [&](const at::Tensor& part) { pass.run(script.module, part, look); });
  return moments;
}

/// Empty if they were set; else why not.
std::string set_statistics(const ScriptGraph& script, const ScriptNorm& norm,
                           const std::vector<kernels::Moments>& moments, std::int64_t batches) {
  const at::NoGradGuard no_gradients;
  if (moments.empty()) return "these inputs do not reach it";
  const at::Tensor mean = at::empty({static_cast<std::int64_t>(moments.size())}, at::kDouble),
                   var = at::empty_like(mean);
  for (std::size_t c = 0; c < moments.size(); ++c) {
    if (moments[c].count < 2) return "it gets a single value per channel";
    mean.data_ptr<double>()[c] = moments[c].mean;
    var.data_ptr<double>()[c] = moments[c].m2 / static_cast<double>(moments[c].count - 1);
  }
  if (!at::isfinite(mean).all().item<bool>() || !at::isfinite(var).all().item<bool>()) {
    return "its inputs are not finite";
  }
  known_value(script.module, norm.node->input(3)).toTensor().copy_(mean);
  known_value(script.module, norm.node->input(4)).toTensor().copy_(var);
  const Module owner = submodule(script.module, norm.name);
  if (owner.hasattr("num_batches_tracked") && owner.attr("num_batches_tracked").isTensor()) {
    const at::Tensor tracked = owner.attr("num_batches_tracked").toTensor();
    if (tracked.item<std::int64_t>() == 0) tracked.fill_(batches);
  }
  return "";
}

bool is_new(const ScriptRepair& repair, const std::string& name) {
  return std::count(repair.layers.begin(), repair.layers.end(), name) == 0;
}

}  // namespace

ScriptRepair recalibrate_script(const std::filesystem::path& path, const ScriptData& data) {
  const ScriptGraph script = load_script(path);
  refuse_fixed_training(script);
  const at::Tensor inputs = load_inputs(data);
  const Module before = script.module.deepcopy();
  ScriptRepair repair;
  {
    const InEvaluationMode quiet(script.module), quiet_before(before);
    const ObservedPass pass(script);
    const std::int64_t batches = (inputs.size(0) + data.batch - 1) / data.batch;
    for (const ScriptNorm& norm : script.norms) {
      if (!has_statistics(script, norm) || !is_new(repair, norm.name)) continue;
      const auto moments = moments_of(pass, script, norm.name, inputs, data.batch);
      const std::string why_not = set_statistics(script, norm, moments, batches);
      if (why_not.empty()) {
        repair.layers.push_back(norm.name);
      } else {
        repair.left.push_back(norm.name + ": " + why_not);
      }
    }
    if (repair.layers.empty()) {
      throw ModelFileError(repair.left.empty() ? "has no layer with running statistics of its own, so there is nothing "
                                                 "to recalibrate; take the model as it was before torch.jit.freeze()"
                                               : "was left as it is: " + repair.left.front());
    }
    repair.output_change = output_change(before, script.module, inputs, data.batch);
  }
  repair.file = saved(script.module);
  return repair;
}

ScriptRepair freeze_script(const std::filesystem::path& path) {
  const ScriptGraph script = load_script(path);
  ScriptRepair repair;
  for (const ScriptNorm& norm : script.norms) {
    if (!norm.training) continue;
    if (!has_statistics(script, norm)) {
      repair.left.push_back(norm.name + ": it has no running statistics");
      continue;
    }
    Module owner = submodule(script.module, norm.name);
    if (norm.training_is_fixed) fix_evaluation(owner);
    if (owner.hasattr("training")) owner.setattr("training", false);
    if (is_new(repair, norm.name)) repair.layers.push_back(norm.name);
  }
  repair.file = saved(script.module);
  std::istringstream stream(repair.file);
  const ScriptGraph after = script_graph(torch::jit::load(stream));  // as others will load it
  for (const ScriptNorm& norm : after.norms) {
    if (norm.training && !is_new(repair, norm.name)) {
      throw ModelFileError(
          fmt::format("has {} in training mode by code that cannot be changed here; export it again "
                      "after model.eval()",
                      norm.name));
    }
  }
  if (repair.layers.empty()) {
    throw ModelFileError("has no layer in training mode that has running statistics, so there is nothing to freeze");
  }
  return repair;
}

ScriptRepair fold_script(const std::filesystem::path& path, const ScriptData& data) {
  constexpr double kMostChange = 1e-3;
  const ScriptGraph script = load_script(path);
  refuse_fixed_training(script);
  for (const ScriptNorm& norm : script.norms) {
    if (norm.training) {
      throw ModelFileError(fmt::format("has {} in training mode; bnlab freeze it first", norm.name));
    }
  }
  const at::Tensor inputs = load_inputs(data);
  const InEvaluationMode quiet(script.module);
  const Module folded = torch::jit::FoldConvBatchNorm(script.module.deepcopy());
  const ScriptGraph after = script_graph(folded);
  ScriptRepair repair;
  for (const ScriptNorm& norm : script.norms) {
    const bool stays = std::any_of(after.norms.begin(), after.norms.end(),
                                   [&](const ScriptNorm& other) { return other.name == norm.name; });
    if (stays) {
      repair.left.push_back(norm.name + ": no convolution feeds it alone");
    } else if (is_new(repair, norm.name)) {
      repair.layers.push_back(norm.name);
    }
  }
  if (repair.layers.empty()) {
    throw ModelFileError(
        "has no batch normalization behind a convolution of its own that libtorch can fold; fold the "
        "model in Python: bnlab.doctor(model, loader).fold()");
  }
  repair.output_change = output_change(script.module, folded, inputs, data.batch);
  if (!(*repair.output_change <= kMostChange)) {
    throw ModelFileError(fmt::format("would change by {:.3g} standard deviations if it were folded, so it is not",
                                     *repair.output_change));
  }
  repair.file = saved(folded);
  return repair;
}

}  // namespace bnlab::torchscript
