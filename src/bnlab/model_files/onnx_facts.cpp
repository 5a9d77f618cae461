#include "bnlab/model_files/onnx_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "bnlab/model_files/exported_facts.h"
#include "bnlab/model_files/model_error.h"
#include "bnlab/model_files/onnx_model.h"

namespace bnlab::model_files {
namespace {

/// What the names of one graph stand for; a branch of If or Loop also sees those outside.
class OnnxScope {
 public:
  OnnxScope(const OnnxGraph& graph, const OnnxScope* outer) : graph_(graph), outer_(outer) {
    for (const OnnxNode& node : graph.nodes) {
      for (const std::string& output : node.outputs) makers_.emplace(output, &node);
    }
  }

  /// The TensorProto behind a name, through Constant and Identity; empty if it is computed.
  std::string_view constant(const std::string& name) const {
    std::string at = name;
    for (std::size_t i = 0; i <= graph_.nodes.size(); ++i) {  // no more steps than nodes: names may go in a circle
      const auto found = graph_.initializers.find(at);
      if (found != graph_.initializers.end()) return found->second;
      const OnnxNode* node = local_maker(at);
      if (node == nullptr) return outer_ != nullptr ? outer_->constant(at) : std::string_view();
      if (node->op == "Constant") {
        const auto value = node->attributes.find("value");
        return value != node->attributes.end() ? value->second.tensor : std::string_view();
      }
      if (node->op != "Identity" || node->inputs.size() != 1) return {};
      at = node->inputs[0];
    }
    return {};
  }

  /// The node whose output a name is; null if it is an input or constant.
  const OnnxNode* maker(const std::string& name) const {
    const OnnxNode* found = local_maker(name);
    return found != nullptr || outer_ == nullptr ? found : outer_->maker(name);
  }

  bool is_output(const std::string& name) const {
    return outer_ == nullptr && std::count(graph_.outputs.begin(), graph_.outputs.end(), name) > 0;
  }

 private:
  const OnnxNode* local_maker(const std::string& name) const {
    const auto found = makers_.find(name);
    return found == makers_.end() ? nullptr : found->second;
  }

  const OnnxGraph& graph_;
  const OnnxScope* outer_;
  std::map<std::string, const OnnxNode*> makers_;
};

/// "layer1.0.bn1" of PyTorch's node name "/layer1/layer1.0/bn1/BatchNormalization"; the whole name if it is another's.
std::string module_of_node(const OnnxNode& node) {
  if (node.name.empty()) return node.outputs.empty() ? node.op : node.outputs[0];
  if (node.name[0] != '/') return node.name;
  std::string path, part;
  for (const char c : node.name.substr(1) + "/") {
    if (c != '/') {
      part += c;
      continue;
    }
    if (part == node.op || part.starts_with(node.op + "_")) break;
    // PyTorch gives a list's entry as "layer1.0" behind "layer1".
    const std::size_t dot = path.rfind('.') == std::string::npos ? 0 : path.rfind('.') + 1;
    if (part.starts_with(path.substr(dot) + ".")) path.resize(dot);
    if (!path.empty() && path.back() != '.') path += '.';
    path += part;
    part.clear();
  }
  return path.empty() ? node.name : path;
}

const std::string& input_of(const OnnxNode& node, std::size_t index) {
  static const std::string none;
  return index < node.inputs.size() ? node.inputs[index] : none;
}

std::string layer_name(const OnnxNode& node) {
  for (const auto& [index, ending] : {std::pair{3, ".running_mean"}, {4, ".running_var"}, {1, ".weight"}}) {
    const std::string name = without_ending(input_of(node, static_cast<std::size_t>(index)), ending);
    if (!name.empty()) return name;
  }
  return module_of_node(node);
}

/// Before version 14 of the operator, training shows in further outputs, before 7 in is_test.
bool normalizes_by_batch(const OnnxNode& node, std::int64_t opset) {
  if (opset >= 14) return node.int_or("training_mode", 0) != 0;
  if (opset >= 7) {
    return std::any_of(node.outputs.begin() + 1, node.outputs.end(), [](const auto& name) { return !name.empty(); });
  }
  return node.int_or("is_test", 0) == 0;
}

/// PyTorch's momentum. An evaluation export writes a momentum of None, the mean over all batches, as 0.
std::optional<double> torch_momentum(const OnnxNode& node, bool training) {
  const double old = decimal_of(node.float_or("momentum", 0.9F));
  const double momentum = std::round((1 - old) * 1e9) / 1e9;
  if (!training && momentum == 0) return {};
  return momentum;
}

std::optional<doctor::Numbers> channels_of(const OnnxScope& scope, const std::string& name, std::string& dtype) {
  const std::string_view tensor = scope.constant(name);
  if (tensor.empty()) return {};
  OnnxValues values = onnx_values(tensor);
  dtype = values.dtype;
  return std::move(values.values);
}

std::optional<doctor::ProducerFacts> producer_of(const OnnxScope& scope, const std::string& input) {
  const OnnxNode* node = scope.maker(input);
  if (node == nullptr) return {};
  const bool may_have_bias = node->op == "Conv" || node->op == "ConvTranspose" || node->op == "Gemm";
  std::string name = without_ending(input_of(*node, 1), ".weight");
  if (name.empty()) name = module_of_node(*node);
  return doctor::ProducerFacts{name, node->op, may_have_bias && !input_of(*node, 2).empty()};
}

doctor::LayerFacts layer_of_node(const OnnxNode& node, const OnnxScope& scope, std::int64_t opset) {
  if (node.inputs.size() < 5 || node.outputs.empty()) {
    throw ModelFileError(fmt::format("is damaged: the node {} has too few inputs or outputs", module_of_node(node)));
  }
  doctor::LayerFacts layer;
  layer.name = layer_name(node);
  layer.kind = "BatchNormalization";
  layer.eps = decimal_of(node.float_or("epsilon", 1e-5F));
  layer.training = normalizes_by_batch(node, opset);
  layer.momentum = torch_momentum(node, layer.training);
  layer.calls = 1;
  layer.is_output = scope.is_output(node.outputs[0]);
  layer.producer = producer_of(scope, node.inputs[0]);
  std::string unused;
  layer.gamma = channels_of(scope, node.inputs[1], unused);
  layer.beta = channels_of(scope, node.inputs[2], unused);
  layer.running_mean = channels_of(scope, node.inputs[3], layer.dtype);
  layer.running_var = channels_of(scope, node.inputs[4], layer.dtype);
  // PyTorch exports a layer with track_running_stats=False as one in training mode that is given its input's moments.
  layer.track_running_stats = !layer.training || (layer.running_mean && layer.running_var);
  for (const auto* values : {&layer.gamma, &layer.running_mean}) {
    if (*values) layer.channels = static_cast<std::int64_t>((*values)->size());
  }
  for (const auto* values : {&layer.gamma, &layer.beta, &layer.running_mean, &layer.running_var}) {
    if (*values && static_cast<std::int64_t>((*values)->size()) != layer.channels) {
      throw ModelFileError(fmt::format("is damaged: the constants of {} have different lengths", layer.name));
    }
  }
  return layer;
}

/// Dropout with training_mode true; before version 12 of the operator a node that runs drops nothing.
bool drops(const OnnxNode& node, const OnnxScope& scope, std::int64_t opset) {
  if (node.op != "Dropout") return false;
  if (opset < 7) return node.int_or("is_test", 0) == 0;
  if (opset < 12 || input_of(node, 2).empty()) return false;
  const std::string_view flag = scope.constant(node.inputs[2]);
  if (flag.empty()) return false;
  const OnnxValues on = onnx_values(flag);
  return on.values.size() == 1 && on.values[0] != 0;
}

void collect(const OnnxGraph& graph, const OnnxScope* outer, std::int64_t opset, int depth, doctor::Facts& facts) {
  constexpr int kDeepest = 16;
  if (depth > kDeepest) throw ModelFileError(fmt::format("nests more than {} graphs in one another", kDeepest));
  const OnnxScope scope(graph, outer);
  for (const OnnxNode& node : graph.nodes) {
    if (node.is_standard() && node.op == "BatchNormalization") add_layer(facts, layer_of_node(node, scope, opset));
    if (node.is_standard() && drops(node, scope, opset)) facts.active_dropout.push_back(module_of_node(node));
    for (const auto& [name, attribute] : node.attributes) {
      for (const std::string_view inner : attribute.graphs) {
        collect(parse_onnx_graph(inner), &scope, opset, depth + 1, facts);
      }
    }
  }
}

}  // namespace

bool claims_onnx(const ModelBytes& file) {
  return !file.zip && begins_as_onnx(file.bytes);
}

doctor::Facts onnx_facts(const ModelBytes& file, const ReadChoice& choice) {
  if (!choice.key.empty()) throw ModelFileError("is an ONNX model, which holds no keys; leave --key out");
  const OnnxModel model = parse_onnx_model(file.bytes);
  const auto& ops = model.function_ops;
  if (std::count(ops.begin(), ops.end(), "BatchNormalization") > 0) {
    throw ModelFileError(
        "has batch normalization inside functions of its own, which are not followed; export with "
        "export_modules_as_functions=False, or inline them: onnx.inliner.inline_local_functions()");
  }
  doctor::Facts facts;
  facts.model = file.name;
  facts.exported = "onnx";
  collect(parse_onnx_graph(model.graph), nullptr, model.opset, 0, facts);
  if (facts.layers.empty()) {
    facts.not_collected.push_back(
        {"layers",
         "the graph has no BatchNormalization: an export in evaluation mode folds it into convolutions (to keep it: "
         "torch.onnx.export(…, do_constant_folding=False, training=TrainingMode.PRESERVE) after model.eval())"});
  }
  say_what_an_export_lacks(facts);
  return facts;
}

}  // namespace bnlab::model_files
