#include <fmt/format.h>

#include <algorithm>

#include "bnlab/model_files/exported_facts.h"
#include "bnlab/model_files/model_bytes.h"
#include "bnlab/model_files/model_error.h"
#include "bnlab/torchscript/archive_facts.h"
#include "bnlab/torchscript/script_graph.h"
#include "bnlab/torchscript/torchscript.h"

namespace bnlab::torchscript {
namespace {

using torch::jit::Module;
using torch::jit::Node;
using torch::jit::Value;

std::optional<doctor::Numbers> numbers_of(const Module& module, const Value* value, std::string* dtype = nullptr) {
  const c10::IValue known = known_value(module, value);
  if (!known.isTensor() || !known.toTensor().defined()) return {};
  const at::Tensor tensor = known.toTensor().detach();
  if (dtype != nullptr)
    *dtype = tensor.scalar_type() == at::kDouble     ? "float64"
             : tensor.scalar_type() == at::kHalf     ? "float16"
             : tensor.scalar_type() == at::kBFloat16 ? "bfloat16"
                                                     : "float32";
  const at::Tensor values = tensor.to(at::kCPU, at::kDouble).contiguous().view(-1);
  const double* begin = values.data_ptr<double>();
  return doctor::Numbers(begin, begin + values.numel());
}

/// A convolution or linear layer directly in front.
std::optional<doctor::ProducerFacts> producer_of(const Module& module, const Value* input) {
  const Node* node = input->node();
  const std::string kind = node->kind().toQualString();
  const bool is_linear = kind == "aten::linear" || kind.find("conv") != std::string::npos;
  if (!is_linear || node->inputs().size() < 3) return {};
  const auto weight = attribute_path(node->input(1));
  if (!weight) return {};
  return doctor::ProducerFacts{model_files::without_ending(*weight, ".weight"), kind.substr(kind.find("::") + 2),
                               known_value(module, node->input(2)).isTensor()};
}

doctor::LayerFacts layer_of(const ScriptGraph& script, const ScriptNorm& norm) {
  const Node* node = norm.node;
  doctor::LayerFacts layer;
  layer.name = norm.name;
  layer.kind = "batch_norm";
  if (norm.has_module) {
    const auto type = submodule(script.module, norm.name).type()->name();
    if (type && type->name().find("Norm") != std::string::npos) layer.kind = type->name();
    const Module owner = submodule(script.module, norm.name);
    if (owner.hasattr("num_batches_tracked") && owner.attr("num_batches_tracked").isTensor()) {
      layer.num_batches_tracked = owner.attr("num_batches_tracked").toTensor().item<std::int64_t>();
    }
  }
  layer.eps = norm.eps;
  layer.momentum = norm.momentum;
  if (!norm.training && norm.momentum == 0.0) layer.momentum.reset();  // how a momentum of None is traced
  layer.training = norm.training;
  layer.calls = 1;
  layer.gamma = numbers_of(script.module, node->input(1));
  layer.beta = numbers_of(script.module, node->input(2));
  layer.running_mean = numbers_of(script.module, node->input(3), &layer.dtype);
  layer.running_var = numbers_of(script.module, node->input(4));
  layer.affine = layer.gamma || layer.beta;
  layer.track_running_stats = layer.running_mean.has_value();
  for (const auto* values : {&layer.gamma, &layer.running_mean}) {
    if (*values) layer.channels = static_cast<std::int64_t>((*values)->size());
  }
  layer.producer = producer_of(script.module, node->input(0));
  const auto outputs = script.graph->outputs();
  layer.is_output = std::count(outputs.begin(), outputs.end(), node->output()) > 0;
  return layer;
}

void collect_dropout(const Module& module, const torch::jit::Block* block, doctor::Facts& facts) {
  for (const Node* node : block->nodes()) {
    const std::string kind = node->kind().toQualString();
    if (kind.find("dropout") != std::string::npos && node->inputs().size() >= 3) {
      const c10::IValue train = known_value(module, node->input(2));
      const auto path = attribute_path(node->input(2));
      const std::string name = path ? model_files::without_ending(*path, ".training") : kind;
      if (train.isBool() && train.toBool()) facts.active_dropout.push_back(name.empty() ? kind : name);
    }
    for (const torch::jit::Block* inner : node->blocks()) collect_dropout(module, inner, facts);
  }
}

}  // namespace

bool is_torchscript(const std::filesystem::path& path) {
  try {
    const model_files::MappedFile mapped(path);
    const model_files::ModelBytes file = model_files::model_bytes(mapped.bytes(), "");
    return file.zip && file.zip->find_in_top_folder("constants.pkl") != nullptr &&
           file.zip->find_in_top_folder("data.pkl") != nullptr;
  } catch (const model_files::ModelFileError&) {
    return false;
  }
}

doctor::Facts script_facts(const std::filesystem::path& path) {
  const Module module = load_module(path);
  if (!module.find_method("forward")) return archive_facts(module, path.filename().string());
  const ScriptGraph script = load_script(path);
  doctor::Facts facts;
  facts.model = path.filename().string();
  facts.exported = "torchscript";
  facts.training = script.module.hasattr("training") && script.module.is_training();
  for (const ScriptNorm& norm : script.norms) model_files::add_layer(facts, layer_of(script, norm));
  collect_dropout(script.module, script.graph->block(), facts);
  if (facts.layers.empty()) {
    facts.not_collected.push_back(
        {"layers", "the graph has no batch normalization: torch.jit.freeze() folds it into convolutions"});
  }
  model_files::say_what_an_export_lacks(facts);
  return facts;
}

}  // namespace bnlab::torchscript
