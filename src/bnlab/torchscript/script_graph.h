// TorchScript files: PyTorch's former format for export, which libtorch runs. One inlined graph of forward(), and the
// batch normalization in it.
//
// torch::jit::load() compiles the file's code and runs what it defines for loading (__setstate__); the repairs run the
// rest. libtorch's loader is not made for hostile files: what comes from strangers is better looked at in the formats
// of model_files.
#pragma once

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bnlab::torchscript {

struct ScriptNorm {
  torch::jit::Node* node = nullptr;
  std::string name;  ///< of the module that holds its tensors; of the node if they are constants
  bool has_module = false;
  bool training = false;
  bool training_is_fixed = false;  ///< a constant of the graph, as in a traced model
  std::optional<double> eps, momentum;
};

struct ScriptGraph {
  torch::jit::Module module;
  std::shared_ptr<torch::jit::Graph> graph;  ///< of forward(), all calls inlined; its first input is the module
  std::vector<ScriptNorm> norms;             ///< in the order of the graph
};

/// Throws ModelFileError.
torch::jit::Module load_module(const std::filesystem::path& path);

/// Throws ModelFileError: no TorchScript file, no forward(), or an operator of batch normalization that is not known.
ScriptGraph load_script(const std::filesystem::path& path);
ScriptGraph script_graph(const torch::jit::Module& module);

std::vector<ScriptNorm> norms_of(const ScriptGraph& script);

/// Whether each layer's node comes once in a pass: none is inside a loop.
bool norms_are_in_a_row(const ScriptGraph& script);

/// Sets training to False where the module's own forward() gives it as the constant True.
void fix_evaluation(torch::jit::Module& module);

/// "layer1.0.bn1.weight" of a value that is read from the module; none if it is computed.
std::optional<std::string> attribute_path(const torch::jit::Value* value);

/// A constant or an attribute of the module; None if the value is computed.
c10::IValue known_value(const torch::jit::Module& module, const torch::jit::Value* value);

/// The submodule at a path of names joined by dots.
torch::jit::Module submodule(const torch::jit::Module& module, const std::string& path);

}  // namespace bnlab::torchscript
