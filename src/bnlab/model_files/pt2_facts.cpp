#include "bnlab/model_files/pt2_facts.h"

#include <fmt/format.h>

#include <algorithm>

#include "bnlab/model_files/exported_facts.h"
#include "bnlab/model_files/model_error.h"
#include "bnlab/model_files/pt2_archive.h"
#include "bnlab/model_files/pt2_graph.h"

namespace bnlab::model_files {
namespace {

enum class Mode { kByFlag, kTraining, kEvaluation };

/// What an operator calls its arguments; all have weight, bias, running_mean and running_var, or leave them out.
struct NormOperator {
  const char* target;
  Mode mode;
  const char* momentum;
  const char* eps;
};

constexpr NormOperator kNormOperators[] = {
    {"aten.batch_norm.default", Mode::kByFlag, "momentum", "eps"},
    {"aten.native_batch_norm.default", Mode::kByFlag, "momentum", "eps"},
    {"aten._native_batch_norm_legit.default", Mode::kByFlag, "momentum", "eps"},
    {"aten._native_batch_norm_legit.no_stats", Mode::kByFlag, "momentum", "eps"},
    {"aten._native_batch_norm_legit_functional.default", Mode::kByFlag, "momentum", "eps"},
    {"aten._native_batch_norm_legit_no_training.default", Mode::kEvaluation, "momentum", "eps"},
    {"aten._batch_norm_with_update.default", Mode::kTraining, "momentum", "eps"},
    {"aten._batch_norm_with_update_functional.default", Mode::kTraining, "momentum", "eps"},
    {"aten._batch_norm_no_update.default", Mode::kEvaluation, "momentum", "eps"},
    {"aten.cudnn_batch_norm.default", Mode::kByFlag, "exponential_average_factor", "epsilon"},
    {"aten.miopen_batch_norm.default", Mode::kByFlag, "exponential_average_factor", "epsilon"},
    {"bnlab.batch_norm.default", Mode::kByFlag, "momentum", "eps"},
    {"bnlab.batch_norm_relu.default", Mode::kByFlag, "momentum", "eps"},
    {"bnlab.batch_norm_add_relu.default", Mode::kByFlag, "momentum", "eps"},
};

const NormOperator* norm_operator(const std::string& target) {
  const auto found = std::find_if(std::begin(kNormOperators), std::end(kNormOperators),
                                  [&](const NormOperator& known) { return target == known.target; });
  if (found != std::end(kNormOperators)) return found;
  if (target.find("batch_norm") != std::string::npos) {
    throw ModelFileError(fmt::format(
        "uses the operator {}, which is not read here; look at the model itself: bnlab.doctor(model)", target));
  }
  return nullptr;
}

using Names = std::map<std::string, std::string>;   ///< of a graph's tensor -> of the model's
using Makers = std::map<std::string, const Json*>;  ///< a tensor -> the node that it is the first output of

/// One graph, the whole or one of a higher-order operator.
struct Pt2Scope {
  const Json& graph;
  const Names& names;
  Makers makers;
  bool is_whole;
};

/// The layers of a graph, and which tensors of the state dict hold their values.
class Pt2Layers {
 public:
  explicit Pt2Layers(const Pt2Model& model) : model_(model) {
    for (const StoredTensor& tensor : model.state.tensors) stored_.emplace(tensor.name, &tensor);
  }

  void collect(const Json& graph, const Names& names, bool is_whole, int depth);
  doctor::Facts facts();

 private:
  struct Sources {
    std::string gamma, beta, mean, var;  ///< names of the model; empty if there is none
  };

  void add_norm(const Pt2Node& node, const NormOperator& known, const Pt2Scope& scope);
  const StoredTensor* stored(const std::string& name, const std::string& layer) const;
  void take_values(doctor::LayerFacts& layer, const Sources& sources,
                   const std::map<std::string, doctor::Numbers>& values) const;

  const Pt2Model& model_;
  std::map<std::string, const StoredTensor*> stored_;
  doctor::Facts facts_;
  std::map<std::string, Sources> sources_;  ///< by the layer's name
};

std::string named(const Names& names, const std::string& tensor) {
  const auto found = names.find(tensor);
  return found == names.end() ? "" : found->second;
}

bool is_output_of(const Json& graph, const std::string& tensor) {
  const Json& outputs = graph.at("outputs");
  return std::any_of(outputs.begin(), outputs.end(),
                     [&](const Json& output) { return tensor_of_argument(output) == tensor; });
}

std::optional<doctor::ProducerFacts> producer_of(const std::string& input, const Makers& makers, const Names& names) {
  const auto found = makers.find(input);
  if (found == makers.end()) return {};
  const Pt2Node node(*found->second);
  const std::string op = node.target().substr(node.target().find('.') + 1);
  std::string name = without_ending(named(names, node.tensor("weight")), ".weight");
  if (name.empty()) name = node.module_path();
  if (name.empty()) name = node.output();
  const bool is_linear = op.find("conv") != std::string::npos || op == "linear.default";
  return doctor::ProducerFacts{name, op.substr(0, op.find('.')), is_linear && !node.tensor("bias").empty()};
}

std::string name_of_layer(const Pt2Node& node, const std::string& mean, const std::string& gamma) {
  std::string name = without_ending(mean, ".running_mean");
  if (name.empty()) name = without_ending(gamma, ".weight");
  if (name.empty()) name = node.module_path();
  return name.empty() ? node.output() : name;
}

void Pt2Layers::add_norm(const Pt2Node& node, const NormOperator& known, const Pt2Scope& scope) {
  const Names& names = scope.names;
  const Sources sources = {named(names, node.tensor("weight")), named(names, node.tensor("bias")),
                           named(names, node.tensor("running_mean")), named(names, node.tensor("running_var"))};
  doctor::LayerFacts layer;
  layer.name = name_of_layer(node, sources.mean, sources.gamma);
  layer.kind = node.module_class().find("Norm") != std::string::npos ? node.module_class() : "batch_norm";
  const auto flag = node.flag("training");
  if (known.mode == Mode::kByFlag && !flag) {
    throw ModelFileError(fmt::format("does not say in which mode {} runs", layer.name));
  }
  layer.training = known.mode == Mode::kByFlag ? *flag : known.mode == Mode::kTraining;
  layer.eps = node.number(known.eps);
  layer.momentum = node.number(known.momentum);
  // In evaluation mode a momentum of None, the mean over all batches, is exported as 0.
  if (!layer.training && layer.momentum == 0.0) layer.momentum.reset();
  layer.affine = !node.tensor("weight").empty() || !node.tensor("bias").empty();
  layer.track_running_stats = !node.tensor("running_mean").empty();
  layer.calls = 1;
  layer.is_output = scope.is_whole && is_output_of(scope.graph, node.output());
  const std::string input = node.tensor("input");
  layer.producer = producer_of(input.empty() ? node.tensor("x") : input, scope.makers, names);
  sources_.emplace(layer.name, sources);
  add_layer(facts_, std::move(layer));
}

void Pt2Layers::collect(const Json& graph, const Names& names, bool is_whole, int depth) {
  constexpr int kDeepest = 16;
  if (depth > kDeepest) throw ModelFileError(fmt::format("nests more than {} graphs in one another", kDeepest));
  Pt2Scope scope{graph, names, {}, is_whole};
  for (const Json& json : graph.at("nodes")) {
    const Pt2Node node(json);
    scope.makers.emplace(node.output(), &json);
    if (const NormOperator* known = norm_operator(node.target())) add_norm(node, *known, scope);
    if (node.target().find("dropout") != std::string::npos && node.flag("train").value_or(false)) {
      facts_.active_dropout.push_back(node.module_path().empty() ? node.output() : node.module_path());
    }
    const std::vector<std::string> operands = node.operands();
    for (const Json* inner : node.graphs()) {
      Names inside;
      const Json& inputs = inner->at("inputs");
      for (std::size_t i = 0; i < inputs.size() && inputs.size() == operands.size(); ++i) {
        inside[tensor_of_argument(inputs[i])] = named(names, operands[i]);
      }
      collect(*inner, inside, false, depth + 1);
    }
  }
}

/// Null if the name is empty: such a value is computed in the graph, or there is none.
const StoredTensor* Pt2Layers::stored(const std::string& name, const std::string& layer) const {
  if (name.empty()) return nullptr;
  const auto found = stored_.find(name);
  if (found == stored_.end()) throw ModelFileError(fmt::format("does not hold {}, which {} needs", name, layer));
  constexpr std::uint64_t kMostChannels = 1 << 20;
  if (found->second->shape.size() != 1 || element_count(*found->second) > kMostChannels) {
    throw ModelFileError(fmt::format("is damaged: {} is no list of channels", name));
  }
  return found->second;
}

void Pt2Layers::take_values(doctor::LayerFacts& layer, const Sources& sources,
                            const std::map<std::string, doctor::Numbers>& values) const {
  for (const auto& [name, to] : {std::pair{&sources.gamma, &layer.gamma},
                                 {&sources.beta, &layer.beta},
                                 {&sources.mean, &layer.running_mean},
                                 {&sources.var, &layer.running_var}}) {
    const auto found = values.find(*name);
    if (found == values.end()) continue;
    *to = found->second;
    if (layer.channels == 0) layer.channels = static_cast<std::int64_t>(found->second.size());
    if (static_cast<std::int64_t>(found->second.size()) != layer.channels) {
      throw ModelFileError(fmt::format("is damaged: the values of {} have different lengths", layer.name));
    }
  }
  const auto batches = values.find(layer.name + ".num_batches_tracked");
  if (batches != values.end() && batches->second.size() == 1) {
    layer.num_batches_tracked = static_cast<std::int64_t>(batches->second[0]);
  }
}

doctor::Facts Pt2Layers::facts() {
  std::vector<const StoredTensor*> wanted;
  const auto want = [&](const StoredTensor* tensor) {
    if (tensor != nullptr && std::find(wanted.begin(), wanted.end(), tensor) == wanted.end()) wanted.push_back(tensor);
  };
  for (doctor::LayerFacts& layer : facts_.layers) {
    const Sources& sources = sources_.at(layer.name);
    for (const std::string& name : {sources.gamma, sources.beta, sources.mean, sources.var}) {
      want(stored(name, layer.name));
    }
    if (const StoredTensor* var = stored(sources.var, layer.name)) layer.dtype = var->element.name;
    const auto batches = stored_.find(layer.name + ".num_batches_tracked");
    if (batches != stored_.end() && batches->second->shape.empty()) want(batches->second);
  }
  const auto values = read_values(model_.state, wanted);
  for (doctor::LayerFacts& layer : facts_.layers) take_values(layer, sources_.at(layer.name), values);
  return std::move(facts_);
}

}  // namespace

doctor::Facts pt2_facts(const ModelBytes& file, const ReadChoice& choice) {
  const Pt2Model model = open_pt2(file, choice);
  try {
    const Json& graph_module = model.program.at("graph_module");
    Pt2Layers layers(model);
    layers.collect(graph_module.at("graph"), pt2_inputs(graph_module), true, 0);
    doctor::Facts facts = layers.facts();
    facts.model = file.name;
    facts.exported = "pt2";
    if (facts.layers.empty()) {
      facts.not_collected.push_back({"layers", "the exported graph has no batch normalization"});
    }
    say_what_an_export_lacks(facts);
    return facts;
  } catch (const Json::exception& error) {
    throw ModelFileError(
        fmt::format("is damaged, or of a version of torch.export that is not known ({})", error.what()));
  }
}

}  // namespace bnlab::model_files
