#include "bnlab/model_files/torch_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "bnlab/model_files/model_error.h"
#include "bnlab/model_files/torch_module.h"
#include "bnlab/model_files/torch_tensor.h"
#include "bnlab/record/json_fields.h"

namespace bnlab::model_files {
namespace {

using Kind = PickleValue::Kind;

constexpr std::size_t kDeepestDict = 50;

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string joined(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

/// A key as text: numbers are those of an optimizer's parameters.
std::string key_of(const PickleValue& key) {
  if (key.kind == Kind::kString) return key.text;
  return key.kind == Kind::kInt ? std::to_string(key.integer) : "?";
}

class Search {
 public:
  explicit Search(const Pickle& pickle) : pickle_(pickle) {}

  /// A value that was looked at is not looked at again: pickles may hold circles.
  void at(Ref ref, const std::string& path, std::size_t depth) {
    if (ref == kNoRef || depth > kDeepestDict || !seen_.insert(ref).second) return;
    const PickleValue& value = pickle_.at(ref);
    if (is_module(pickle_, ref)) return add(path, module_state(pickle_, ref));
    if (value.kind == Kind::kObject) return at(value.state, path, depth + 1);
    if (value.kind == Kind::kDict) return dict(value, path, depth);
    if (value.kind != Kind::kList && value.kind != Kind::kTuple) return;
    for (std::size_t i = 0; i < value.items.size(); ++i) at(value.items[i], joined(path, std::to_string(i)), depth + 1);
  }

  std::vector<FoundState> result() { return std::move(found_); }

 private:
  void dict(const PickleValue& value, const std::string& path, std::size_t depth) {
    StateDict state;
    std::map<std::string, std::size_t> index;  // of two equal keys the later one holds, at the place of the first
    for (std::size_t i = 0; i + 1 < value.items.size(); i += 2) {
      const PickleValue& key = pickle_.at(value.items[i]);
      const Ref item = value.items[i + 1];
      if (pickle_.at(item).kind != Kind::kTensor || key.kind != Kind::kString) continue;
      const auto [place, is_new] = index.emplace(key.text, state.tensors.size());
      StoredTensor tensor = torch_tensor(pickle_, item, key.text);
      if (is_new) {
        state.tensors.push_back(std::move(tensor));
      } else {
        state.tensors[place->second] = std::move(tensor);
      }
    }
    if (!state.tensors.empty()) add(path, std::move(state));
    for (std::size_t i = 0; i + 1 < value.items.size(); i += 2) {
      at(value.items[i + 1], joined(path, key_of(pickle_.at(value.items[i]))), depth + 1);
    }
  }

  void add(const std::string& key, StateDict state) {
    FoundState found{key, 0, std::move(state)};
    for (const StoredTensor& tensor : found.state.tensors) found.layers += ends_with(tensor.name, "running_var");
    found_.push_back(std::move(found));
  }

  const Pickle& pickle_;
  std::unordered_set<Ref> seen_;
  std::vector<FoundState> found_;
};

std::string named(const FoundState& found) {
  return fmt::format("{} ({} tensors, {} with running_var)",
                     found.key.empty() ? "the whole file" : "\"" + found.key + "\"", found.state.tensors.size(),
                     found.layers);
}

/// All that a person may want to choose from, the largest first.
std::string list_of(std::vector<const FoundState*> found) {
  constexpr std::size_t kNamed = 5;
  std::string text;
  for (std::size_t i = 0; i < found.size() && i < kNamed; ++i) text += (i == 0 ? "" : ", ") + named(*found[i]);
  return text + (found.size() > kNamed ? fmt::format(" and {} more", found.size() - kNamed) : "");
}

bool is_larger(const FoundState* a, const FoundState* b) {
  if (a->layers != b->layers) return a->layers > b->layers;
  return a->state.tensors.size() > b->state.tensors.size();
}

std::string calls_text(const Pickle& pickle) {
  constexpr std::size_t kNamed = 5;
  std::string text;
  std::size_t count = 0;
  for (const std::string& name : pickle.calls) {
    if (++count > kNamed) break;
    text += (count == 1 ? "" : ", ") + name;
  }
  return text + (count > kNamed ? ", …" : "");
}

[[noreturn]] void throw_nothing(const Pickle& pickle) {
  throw ModelFileError("holds no dict of tensors and no module whose tensors are plain data" +
                       (pickle.calls.empty() ? "" : " (it would have Python call " + calls_text(pickle) + ")") +
                       "; save model.state_dict()");
}

}  // namespace

std::vector<FoundState> find_states(const Pickle& pickle) {
  Search search(pickle);
  search.at(pickle.root, "", 0);
  return search.result();
}

FoundState choose_state(std::vector<FoundState> found, const std::string& key, const Pickle& pickle) {
  if (found.empty()) throw_nothing(pickle);
  std::vector<const FoundState*> order;
  for (const FoundState& each : found) order.push_back(&each);
  std::stable_sort(order.begin(), order.end(), is_larger);
  const FoundState* chosen = order.front();
  if (!key.empty()) {
    const auto is_it = [&](const FoundState* each) { return each->key == key; };
    const auto place = std::find_if(order.begin(), order.end(), is_it);
    if (place == order.end()) throw ModelFileError(fmt::format("holds no \"{}\"; there is {}", key, list_of(order)));
    chosen = *place;
  }
  FoundState result = *chosen;
  std::vector<const FoundState*> others;
  for (const FoundState* each : order) {
    if (each != chosen && each->layers > 0) others.push_back(each);
  }
  if (!others.empty()) {
    result.state.remarks.push_back(
        fmt::format("Of several state dicts, {} was read; there is also {} (--key).", named(result), list_of(others)));
  }
  if (!pickle.calls.empty()) {
    result.state.remarks.push_back("torch.load would have Python make or call " + calls_text(pickle) +
                                   "; here nothing of the file was run.");
  }
  return result;
}

}  // namespace bnlab::model_files
