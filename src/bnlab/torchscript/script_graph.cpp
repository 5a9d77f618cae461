#include "bnlab/torchscript/script_graph.h"

#include <fmt/format.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>

#include "bnlab/model_files/model_error.h"
#include "bnlab/torchscript/torchscript.h"

namespace bnlab::torchscript {
namespace {

using model_files::ModelFileError;
using torch::jit::Block;
using torch::jit::Module;
using torch::jit::Node;
using torch::jit::Value;

/// Places of the arguments; bnlab::batch_norm has the same.
enum NormArgument { kInput = 0, kWeight, kBias, kMean, kVar, kTraining, kMomentum, kEps };

std::string kind_of(const Node* node) {
  return node->kind().toQualString();
}

std::string owner_of(const std::string& path) {
  const auto dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

/// Of a number among a node's arguments, if it is a constant or an attribute.
std::optional<double> number_of(const Module& module, const Value* value) {
  const c10::IValue known = known_value(module, value);
  if (known.isDouble()) return known.toDouble();
  if (known.isInt()) return static_cast<double>(known.toInt());
  return {};
}

ScriptNorm norm_of(const Module& module, Node* node, std::size_t index) {
  ScriptNorm norm;
  norm.node = node;
  norm.name = fmt::format("batch_norm_{}", index);
  for (const int argument : {kMean, kWeight}) {
    const auto path = attribute_path(node->input(argument));
    if (!path || norm.has_module) continue;
    norm.name = owner_of(*path);
    norm.has_module = true;
  }
  norm.eps = number_of(module, node->input(kEps));
  norm.momentum = number_of(module, node->input(kMomentum));
  const c10::IValue flag = known_value(module, node->input(kTraining));
  if (flag.isBool()) {
    norm.training = flag.toBool();
    norm.training_is_fixed = !attribute_path(node->input(kTraining));
  } else if (norm.has_module && submodule(module, norm.name).hasattr("training")) {
    norm.training = submodule(module, norm.name).attr("training").toBool();
  } else {
    throw ModelFileError(fmt::format("does not say in which mode {} runs", norm.name));
  }
  return norm;
}

bool is_norm(const Node* node) {
  const std::string kind = kind_of(node);
  if (kind == "aten::batch_norm" || kind == "bnlab::batch_norm" || kind == "bnlab::batch_norm_relu") return true;
  if (kind.find("batch_norm") != std::string::npos) {
    throw ModelFileError(fmt::format(
        "uses the operator {}, which is not read here; look at the model itself: bnlab.doctor(model)", kind));
  }
  return false;
}

void collect_norms(const Module& module, Block* block, std::vector<ScriptNorm>& norms) {
  for (Node* node : block->nodes()) {
    if (is_norm(node)) norms.push_back(norm_of(module, node, norms.size()));
    for (Block* inner : node->blocks()) collect_norms(module, inner, norms);
  }
}

}  // namespace

Module submodule(const Module& module, const std::string& path) {
  Module at = module;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t dot = std::min(path.find('.', begin), path.size());
    at = at.attr(path.substr(begin, dot - begin)).toModule();
    begin = dot + 1;
  }
  return at;
}

std::optional<std::string> attribute_path(const Value* value) {
  const Node* node = value->node();
  const std::string kind = kind_of(node);
  if (kind == "prim::GetAttr") {
    const auto base = attribute_path(node->input(0));
    if (!base) return {};
    const std::string& name = node->s(c10::attr::name);
    return base->empty() ? name : *base + "." + name;
  }
  if (kind == "prim::unchecked_cast" || kind == "prim::unchecked_unwrap_optional") {
    return attribute_path(node->input(0));
  }
  if (kind == "prim::If") {  // e.g. "the statistics, or None": the branch that reads an attribute
    for (const Block* block : node->blocks()) {
      if (const auto path = attribute_path(block->outputs()[value->offset()])) return path;
    }
    return {};
  }
  const bool is_self = kind == "prim::Param" && value == node->owningGraph()->inputs()[0];
  return is_self ? std::optional<std::string>("") : std::nullopt;
}

c10::IValue known_value(const Module& module, const Value* value) {
  if (const auto constant = torch::jit::toIValue(value)) return *constant;
  if (value->node()->kind() == c10::prim::If) return {};  // which branch runs is not known
  const auto path = attribute_path(value);
  if (!path || path->empty()) return {};
  const Module owner = submodule(module, owner_of(*path));
  const std::string name = path->substr(owner_of(*path).empty() ? 0 : owner_of(*path).size() + 1);
  return owner.hasattr(name) ? owner.attr(name) : c10::IValue();
}

ScriptGraph script_graph(const Module& module) {
  ScriptGraph result{module, nullptr, {}};
  const auto method = module.find_method("forward");
  if (!method) throw ModelFileError("has no forward()");
  result.graph = method->graph()->copy();
  torch::jit::Inline(*result.graph);
  result.norms = norms_of(result);
  return result;
}

std::vector<ScriptNorm> norms_of(const ScriptGraph& script) {
  std::vector<ScriptNorm> norms;
  collect_norms(script.module, script.graph->block(), norms);
  return norms;
}

bool norms_are_in_a_row(const ScriptGraph& script) {
  return std::none_of(script.norms.begin(), script.norms.end(), [](const ScriptNorm& norm) {
    for (const Node* at = norm.node; at != nullptr; at = at->owningBlock()->owningNode()) {
      if (at->kind() == c10::prim::Loop) return true;
    }
    return false;
  });
}

void fix_evaluation(Module& module) {
  const auto method = module.find_method("forward");
  if (!method) return;
  const auto graph = method->graph();
  for (Node* node : graph->nodes()) {
    if (!is_norm(node)) continue;
    const torch::jit::WithInsertPoint here(node);
    node->replaceInput(kTraining, graph->insertConstant(false));
  }
}

namespace {

/// f(), with what libtorch throws as a ModelFileError: it goes over many lines, the first holds the reason.
template <class F>
auto in_one_sentence(const F& f) {
  try {
    return f();
  } catch (const ModelFileError&) {
    throw;
  } catch (const std::exception& error) {
    const std::string text = error.what();
    throw ModelFileError(fmt::format("cannot be loaded by libtorch: {}", text.substr(0, text.find('\n'))));
  }
}

}  // namespace

Module load_module(const std::filesystem::path& path) {
  if (!is_torchscript(path)) throw ModelFileError("is no TorchScript file");
  return in_one_sentence([&] { return torch::jit::load(path.string(), c10::Device(c10::kCPU)); });
}

ScriptGraph load_script(const std::filesystem::path& path) {
  const Module module = load_module(path);
  return in_one_sentence([&] { return script_graph(module); });
}

}  // namespace bnlab::torchscript
