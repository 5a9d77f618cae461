// The graph of an ExportedProgram: nodes with named arguments. torch/_export/serde/schema.py of PyTorch 2.1 to 2.10.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bnlab/record/json_fields.h"

namespace bnlab::model_files {

/// One node; a view of the JSON, which must outlive it. All functions throw Json::exception where it is of another
/// form.
class Pt2Node {
 public:
  explicit Pt2Node(const Json& json);

  const std::string& target() const { return target_; }  ///< without "torch.ops.", e.g. "aten.batch_norm.default"
  /// The tensor that an argument names; empty if it is None or not there.
  std::string tensor(const std::string& argument) const;
  std::optional<bool> flag(const std::string& argument) const;
  std::optional<double> number(const std::string& argument) const;
  std::string output() const;       ///< the first tensor; empty if there is none
  std::string module_path() const;  ///< of the innermost nn.Module, e.g. "layer1.0.bn1"; empty if it is not told
  std::string module_class() const;

  /// Graphs among the arguments, of higher-order operators, and the tensors that are given to them.
  std::vector<const Json*> graphs() const;
  std::vector<std::string> operands() const;

 private:
  const Json* argument(const std::string& name) const;

  const Json& json_;
  std::string target_;
};

/// The tensor of an Argument or OptionalTensorArgument; empty if it is none.
std::string tensor_of_argument(const Json& argument);

/// Names of the graph's inputs that are parameters, buffers and constants -> the names that the model gave them.
std::map<std::string, std::string> pt2_inputs(const Json& graph_module);

}  // namespace bnlab::model_files
