// A state dict to facts: which tensors are a batch normalization's, and what such a file does not tell.
#include <fmt/ranges.h>

#include <algorithm>

#include "bnlab/model_files/model_error.h"
#include "bnlab/model_files/state_dict.h"
#include "bnlab/record/json_fields.h"

namespace bnlab::model_files {
namespace {

using Index = std::map<std::string, const StoredTensor*>;

constexpr std::uint64_t kMostChannels = 1 << 20;  ///< a layer of more is none of a model's

Index index_of(const StateDict& state) {
  Index index;
  for (const StoredTensor& tensor : state.tensors) index.emplace(tensor.name, &tensor);
  return index;
}

const StoredTensor* find(const Index& index, const std::string& name) {
  const auto found = index.find(name);
  return found == index.end() ? nullptr : found->second;
}

/// "a.b." of "a.b.running_mean"; none of other names.
std::optional<std::string> prefix_of(const std::string& name) {
  const std::string last = "running_mean";
  if (name.size() < last.size() || name.substr(name.size() - last.size()) != last) return {};
  const std::string prefix = name.substr(0, name.size() - last.size());
  if (!prefix.empty() && prefix.back() != '.') return {};
  return prefix;
}

std::string without_dot(const std::string& prefix) {
  return prefix.empty() ? prefix : prefix.substr(0, prefix.size() - 1);
}

bool is_vector(const StoredTensor& tensor, std::uint64_t length) {
  return tensor.shape.size() == 1 && element_count(tensor) == length;
}

/// The prefixes of layers, in the order of the file.
std::vector<std::string> layers_of(const StateDict& state, const Index& index) {
  std::vector<std::string> prefixes;
  for (const StoredTensor& tensor : state.tensors) {
    const auto prefix = prefix_of(tensor.name);
    if (!prefix || tensor.shape.size() != 1) continue;
    const StoredTensor* var = find(index, *prefix + "running_var");
    if (var == nullptr) continue;
    const std::uint64_t channels = element_count(tensor);
    if (!is_vector(*var, channels)) {
      throw ModelFileError(fmt::format("running_mean and running_var of {} have different shapes; save the model again",
                                       without_dot(*prefix)));
    }
    if (channels > kMostChannels) {
      throw ModelFileError(fmt::format("{} has more than {} channels", without_dot(*prefix), kMostChannels));
    }
    prefixes.push_back(*prefix);
  }
  return prefixes;
}

[[noreturn]] void throw_no_layers(const StateDict& state) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < state.tensors.size() && i < 3; ++i) names.push_back(state.tensors[i].name);
  const std::string names_text = fmt::format("{}", fmt::join(names, ", "));
  throw ModelFileError(
      names.empty()
          ? "holds no tensors"
          : fmt::format("holds {} tensors ({}{}), but no layer with running_mean and running_var; if the model has "
                        "batch normalization, its buffers were not stored: save model.state_dict()",
                        state.tensors.size(), names_text, state.tensors.size() > 3 ? ", …" : ""));
}

/// gamma and beta; a length that is not the layer's is refused.
const StoredTensor* parameter(const Index& index, const std::string& prefix, const char* last, std::uint64_t channels) {
  const StoredTensor* found = find(index, prefix + last);
  if (found != nullptr && !is_vector(*found, channels)) {
    throw ModelFileError(
        fmt::format("{} does not have the {} channels of its layer's running_mean", found->name, channels));
  }
  return found;
}

void take_settings(doctor::LayerFacts& layer, const StateDict& state) {
  layer.momentum_known = false;
  const auto found = state.settings.find(layer.name);
  if (found == state.settings.end()) return;
  const LayerSettings& settings = found->second;
  if (!settings.kind.empty()) layer.kind = settings.kind;
  layer.eps = settings.eps;
  layer.momentum_known = settings.momentum_known;
  layer.momentum = settings.momentum;
  layer.training = settings.training.value_or(false);
}

doctor::LayerFacts layer_of(const std::string& prefix, const StateDict& state, const Index& index,
                            std::vector<const StoredTensor*>& wanted) {
  doctor::LayerFacts layer;
  const StoredTensor* mean = find(index, prefix + "running_mean");
  const StoredTensor* var = find(index, prefix + "running_var");
  const std::uint64_t channels = element_count(*mean);
  layer.name = without_dot(prefix);
  layer.kind = "BatchNorm";
  layer.dtype = var->element.name;
  layer.channels = static_cast<std::int64_t>(channels);
  take_settings(layer, state);
  wanted.insert(wanted.end(), {mean, var});
  const StoredTensor* gamma = parameter(index, prefix, "weight", channels);
  const StoredTensor* beta = parameter(index, prefix, "bias", channels);
  layer.affine = gamma != nullptr || beta != nullptr;
  for (const StoredTensor* tensor : {gamma, beta, find(index, prefix + "num_batches_tracked")}) {
    if (tensor != nullptr && element_count(*tensor) <= channels + 1) wanted.push_back(tensor);
  }
  return layer;
}

void take_values(doctor::LayerFacts& layer, const std::string& prefix,
                 const std::map<std::string, doctor::Numbers>& values) {
  const auto take = [&](const char* last, std::optional<doctor::Numbers>& to) {
    const auto found = values.find(prefix + last);
    if (found != values.end()) to = found->second;
  };
  take("running_mean", layer.running_mean);
  take("running_var", layer.running_var);
  take("weight", layer.gamma);
  take("bias", layer.beta);
  std::optional<doctor::Numbers> batches;
  take("num_batches_tracked", batches);
  constexpr double kMostBatches = 9e15;  // beyond it a double does not count
  if (batches && batches->size() == 1 && batches->front() >= 0 && batches->front() <= kMostBatches) {
    layer.num_batches_tracked = static_cast<std::int64_t>(batches->front());
  }
}

void say_what_is_missing(doctor::Facts& facts, const StateDict& state) {
  const auto miss = [&](const char* what, const char* why) { facts.not_collected.push_back({what, why}); };
  for (const char* what : {"losses", "moments"})
    miss(what, "a file alone shows no inputs: bnlab.doctor(model, loader)");
  miss("graph", "a state file does not say what is connected to what");
  miss("optimizer", "the optimizer's groups do not name their parameters in a file");
  miss("training steps", "a file makes no steps");
  const auto all = [&](auto holds) { return std::all_of(facts.layers.begin(), facts.layers.end(), holds); };
  if (!all([](const doctor::LayerFacts& layer) { return layer.eps.has_value(); })) {
    miss("eps", "a state file does not hold eps");
  }
  if (!all([](const doctor::LayerFacts& layer) { return layer.momentum_known; })) {
    miss("momentum", "a state file does not hold the momentum");
  }
  if (!all([&](const doctor::LayerFacts& layer) {
        const auto found = state.settings.find(layer.name);
        return found != state.settings.end() && found->second.training.has_value();
      })) {
    miss("mode",
         "a state file holds no modes, and a layer without running statistics looks like any other normalization");
  }
}

}  // namespace

doctor::Facts facts_of_state(const StateDict& state, const std::string& name) {
  const Index index = index_of(state);
  const std::vector<std::string> prefixes = layers_of(state, index);
  if (prefixes.empty()) throw_no_layers(state);
  doctor::Facts facts;
  facts.model = name;
  facts.remarks = state.remarks;
  facts.training = state.training.value_or(false);
  std::vector<const StoredTensor*> wanted;
  for (const std::string& prefix : prefixes) facts.layers.push_back(layer_of(prefix, state, index, wanted));
  const auto values = read_values(state, wanted);
  for (std::size_t i = 0; i < prefixes.size(); ++i) take_values(facts.layers[i], prefixes[i], values);
  say_what_is_missing(facts, state);
  return facts;
}

}  // namespace bnlab::model_files
