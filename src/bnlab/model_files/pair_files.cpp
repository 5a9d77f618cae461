#include "bnlab/model_files/pair_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "bnlab/model_files/tensor_digests.h"

namespace bnlab::model_files {
namespace {

/// A file with its facts, and its state dict where the format has one.
struct Side {
  explicit Side(const std::filesystem::path& path) : mapped(path) {}
  MappedFile mapped;
  ModelBytes file;
  doctor::Facts facts;
  std::optional<StateDict> state;
};

std::unique_ptr<Side> side_of(const std::filesystem::path& path, const ReadChoice& choice) {
  try {
    auto side = std::make_unique<Side>(path);
    side->file = model_bytes(side->mapped.bytes(), path.filename().string());
    const FileReader& reader = reader_of(side->file);
    side->facts = reader.read(side->file, choice);
    if (reader.state != nullptr) side->state = reader.state(side->file, choice);
    return side;
  } catch (const ModelFileError& error) {
    throw ModelFileError(fmt::format("{}: {}", path.string(), error.what()));
  }
}

std::vector<std::string> names_of(const Side& side) {
  std::vector<std::string> names;
  if (side.state) {
    for (const StoredTensor& tensor : side.state->tensors) names.push_back(tensor.name);
  } else {
    for (const doctor::LayerFacts& layer : side.facts.layers) names.push_back(layer.name);
  }
  return names;
}

bool begins_with(const std::string& text, const std::string& begin) {
  return text.compare(0, begin.size(), begin) == 0;
}

/// "" and what stands before the first and the second dot of any name.
std::set<std::string> prefixes_of(const std::vector<std::string>& names) {
  std::set<std::string> prefixes = {""};
  for (const std::string& name : names) {
    const std::size_t first = name.find('.');
    if (first == std::string::npos) continue;
    prefixes.insert(name.substr(0, first + 1));
    const std::size_t second = name.find('.', first + 1);
    if (second != std::string::npos) prefixes.insert(name.substr(0, second + 1));
  }
  return prefixes;
}

std::set<std::string> without(const std::vector<std::string>& names, const std::string& prefix) {
  std::set<std::string> rest;
  for (const std::string& name : names) {
    if (begins_with(name, prefix)) rest.insert(name.substr(prefix.size()));
  }
  return rest;
}

std::size_t shared(const std::set<std::string>& a, const std::set<std::string>& b) {
  return static_cast<std::size_t>(
      std::count_if(a.begin(), a.end(), [&](const auto& name) { return b.count(name) > 0; }));
}

/// Sets the prefixes with which most names agree; none where they agree as they are.
void choose_prefixes(doctor::PairFacts& pair, const std::vector<std::string>& before,
                     const std::vector<std::string>& after) {
  constexpr std::size_t kMostPrefixes = 200;  // their number goes into the square
  const auto as_sets = [](const std::vector<std::string>& names) {
    std::vector<std::pair<std::string, std::set<std::string>>> sets;
    for (const std::string& prefix : prefixes_of(names)) {
      if (sets.size() < kMostPrefixes) sets.emplace_back(prefix, without(names, prefix));
    }
    return sets;
  };
  const auto of_before = as_sets(before), of_after = as_sets(after);
  std::size_t most = shared(of_before.front().second, of_after.front().second);
  for (const auto& [prefix_before, a] : of_before) {
    for (const auto& [prefix_after, b] : of_after) {
      const bool one_sided = prefix_before.empty() || prefix_after.empty() || a.size() == before.size();
      if (!one_sided || std::min(a.size(), b.size()) <= most) continue;
      const std::size_t count = shared(a, b);
      if (count <= most) continue;
      most = count;
      pair.prefix_before = prefix_before;
      pair.prefix_after = prefix_after;
    }
  }
}

void match_layers(doctor::PairFacts& pair, const Side& before, const Side& after) {
  std::map<std::string, const doctor::LayerFacts*> by_name;
  for (const doctor::LayerFacts& layer : after.facts.layers) by_name[layer.name] = &layer;
  for (const doctor::LayerFacts& layer : before.facts.layers) {
    if (!begins_with(layer.name + ".", pair.prefix_before)) continue;
    const std::string rest =
        layer.name.size() < pair.prefix_before.size() ? "" : layer.name.substr(pair.prefix_before.size());
    const auto found = by_name.find(pair.prefix_after + rest);
    if (found != by_name.end() && found->second->channels == layer.channels) {
      pair.layers.push_back({layer, *found->second});
    }
  }
}

void match_by_order(doctor::PairFacts& pair, const Side& before, const Side& after) {
  const auto& a = before.facts.layers;
  const auto& b = after.facts.layers;
  const auto same_channels = [](const auto& x, const auto& y) { return x.channels == y.channels; };
  if (a.size() != b.size() || !std::equal(a.begin(), a.end(), b.begin(), same_channels)) {
    throw ModelFileError(
        fmt::format("the {} layers of {} and the {} of {} share no names, and differ in number or channels; they "
                    "cannot be compared",
                    a.size(), pair.before, b.size(), pair.after));
  }
  pair.by_order = true;
  for (std::size_t i = 0; i < a.size(); ++i) pair.layers.push_back({a[i], b[i]});
}

/// What is in one file only, and which of the others changed.
void compare_tensors(doctor::PairFacts& pair, const Side& before, const Side& after) {
  std::map<std::string, const StoredTensor*> rest;
  for (const StoredTensor& tensor : after.state->tensors) {
    if (begins_with(tensor.name, pair.prefix_after)) {
      rest[tensor.name.substr(pair.prefix_after.size())] = &tensor;
    } else {
      pair.added.push_back(tensor.name);
    }
  }
  std::set<std::string> of_layers;
  for (const doctor::LayerFacts& layer : before.facts.layers) {
    const std::string prefix = layer.name.empty() ? "" : layer.name + ".";
    for (const char* last : {"running_mean", "running_var", "weight", "bias", "num_batches_tracked"}) {
      of_layers.insert(prefix + last);
    }
  }
  const auto digests_before = tensor_digests(*before.state), digests_after = tensor_digests(*after.state);
  pair.others.emplace();
  for (const StoredTensor& tensor : before.state->tensors) {
    const bool prefixed = begins_with(tensor.name, pair.prefix_before);
    const auto found = prefixed ? rest.find(tensor.name.substr(pair.prefix_before.size())) : rest.end();
    if (found == rest.end()) {
      pair.missing.push_back(tensor.name);
      continue;
    }
    const StoredTensor& other = *found->second;
    rest.erase(found);
    if (tensor.shape != other.shape || tensor.element.name != other.element.name) {
      pair.others->reshaped.push_back(tensor.name);
    } else if (of_layers.count(tensor.name) == 0) {
      ++pair.others->compared;
      pair.others->changed += digests_before.at(tensor.name) != digests_after.at(other.name);
    }
  }
  for (const auto& [name, tensor] : rest) pair.added.push_back(tensor->name);
}

}  // namespace

doctor::PairFacts read_pair(const std::filesystem::path& before_path, const std::filesystem::path& after_path,
                            const ReadChoice& choice) {
  const auto before = side_of(before_path, choice), after = side_of(after_path, choice);
  doctor::PairFacts pair;
  pair.before = before->file.name;
  pair.after = after->file.name;
  if (pair.before == pair.after) {
    pair.before = before_path.string();
    pair.after = after_path.string();
  }
  if (before->state.has_value() == after->state.has_value()) choose_prefixes(pair, names_of(*before), names_of(*after));
  match_layers(pair, *before, *after);
  if (pair.layers.empty()) match_by_order(pair, *before, *after);
  if (before->state && after->state && !pair.by_order) compare_tensors(pair, *before, *after);
  for (const Side* side : {before.get(), after.get()}) {
    for (const std::string& remark : side->facts.remarks) pair.remarks.push_back(side->file.name + ": " + remark);
  }
  return pair;
}

}  // namespace bnlab::model_files
