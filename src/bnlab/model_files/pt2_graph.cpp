#include "bnlab/model_files/pt2_graph.h"

namespace bnlab::model_files {
namespace {

/// Fields of the last entry of nn_module_stack, "key,path,class" with ";" between entries.
std::string last_of_stack(const Json& node, int index) {
  const auto metadata = node.find("metadata");
  if (metadata == node.end() || !metadata->is_object()) return "";
  const auto stack = metadata->find("nn_module_stack");
  if (stack == metadata->end() || !stack->is_string()) return "";
  std::string entry = stack->get<std::string>();
  entry = entry.substr(entry.rfind(';') == std::string::npos ? 0 : entry.rfind(';') + 1);
  for (int i = 0; i < index; ++i) {
    const auto comma = entry.find(',');
    if (comma == std::string::npos) return "";
    entry = entry.substr(comma + 1);
  }
  return entry.substr(0, entry.find(','));
}

void add_tensors(const Json& argument, std::vector<std::string>& names) {
  if (const auto found = argument.find("as_tensors"); found != argument.end()) {
    for (const Json& tensor : *found) names.push_back(tensor.at("name").get<std::string>());
  } else if (const std::string name = tensor_of_argument(argument); !name.empty()) {
    names.push_back(name);
  }
}

}  // namespace

std::string tensor_of_argument(const Json& argument) {
  if (const auto optional = argument.find("as_optional_tensor"); optional != argument.end()) {
    return tensor_of_argument(*optional);
  }
  const auto tensor = argument.find("as_tensor");
  return tensor == argument.end() ? "" : tensor->at("name").get<std::string>();
}

Pt2Node::Pt2Node(const Json& json) : json_(json), target_(json.at("target").get<std::string>()) {
  const std::string head = "torch.ops.";
  if (target_.starts_with(head)) target_ = target_.substr(head.size());
}

const Json* Pt2Node::argument(const std::string& name) const {
  for (const Json& input : json_.at("inputs")) {
    if (input.at("name") == name) return &input.at("arg");
  }
  return nullptr;
}

std::string Pt2Node::tensor(const std::string& name) const {
  const Json* found = argument(name);
  return found == nullptr ? "" : tensor_of_argument(*found);
}

std::optional<bool> Pt2Node::flag(const std::string& name) const {
  const Json* found = argument(name);
  if (found == nullptr || !found->contains("as_bool")) return {};
  return found->at("as_bool").get<bool>();
}

std::optional<double> Pt2Node::number(const std::string& name) const {
  const Json* found = argument(name);
  if (found == nullptr) return {};
  for (const char* kind : {"as_float", "as_int"}) {
    if (found->contains(kind)) return found->at(kind).get<double>();
  }
  return {};
}

std::string Pt2Node::output() const {
  const Json& outputs = json_.at("outputs");
  std::vector<std::string> names;
  for (const Json& output : outputs) add_tensors(output, names);
  return names.empty() ? "" : names[0];
}

std::string Pt2Node::module_path() const {
  return last_of_stack(json_, 1);
}

std::string Pt2Node::module_class() const {
  const std::string name = last_of_stack(json_, 2);
  return name.substr(name.rfind('.') == std::string::npos ? 0 : name.rfind('.') + 1);
}

std::vector<const Json*> Pt2Node::graphs() const {
  std::vector<const Json*> graphs;
  for (const Json& input : json_.at("inputs")) {
    const auto found = input.at("arg").find("as_graph");
    if (found != input.at("arg").end()) graphs.push_back(&found->at("graph"));
  }
  return graphs;
}

std::vector<std::string> Pt2Node::operands() const {
  std::vector<std::string> names;
  for (const Json& input : json_.at("inputs")) {
    if (input.at("arg").contains("as_graph")) {
      names.clear();  // what stands before the graphs is for the operator, e.g. the condition
    } else {
      add_tensors(input.at("arg"), names);
    }
  }
  return names;
}

std::map<std::string, std::string> pt2_inputs(const Json& graph_module) {
  std::map<std::string, std::string> names;
  for (const Json& spec : graph_module.at("signature").at("input_specs")) {
    for (const auto& [kind, name] : {std::pair{"parameter", "parameter_name"},
                                     {"buffer", "buffer_name"},
                                     {"tensor_constant", "tensor_constant_name"}}) {
      const auto found = spec.find(kind);
      if (found == spec.end()) continue;
      names[found->at("arg").at("name").get<std::string>()] = found->at(name).get<std::string>();
    }
  }
  return names;
}

}  // namespace bnlab::model_files
