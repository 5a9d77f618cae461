#include "bnlab/model_files/torch_module.h"

#include <cmath>

#include "bnlab/model_files/model_error.h"
#include "bnlab/model_files/torch_tensor.h"

namespace bnlab::model_files {
namespace {

using Kind = PickleValue::Kind;

constexpr std::size_t kDeepestModule = 100, kMostSteps = 1'000'000;

/// The attributes of an object: what BUILD gave, or the first of (attributes, slots).
Ref attributes_of(const Pickle& pickle, Ref object) {
  const Ref state = pickle.at(object).state;
  if (state == kNoRef || pickle.at(state).kind != Kind::kTuple) return state;
  return pickle.at(state).items.empty() ? kNoRef : pickle.at(state).items.front();
}

std::optional<bool> mode_of(const Pickle& pickle, Ref attributes) {
  const Ref training = pickle.find(attributes, "training");
  if (training == kNoRef || pickle.at(training).kind != Kind::kBool) return {};
  return pickle.at(training).integer != 0;
}

LayerSettings settings_of(const Pickle& pickle, const std::string& class_name, Ref attributes, Ref eps) {
  LayerSettings settings;
  settings.kind = class_name.substr(class_name.rfind('.') + 1);
  const auto number = [&](Ref ref) -> std::optional<double> {
    if (ref == kNoRef) return {};
    const PickleValue& value = pickle.at(ref);
    if (value.kind == Kind::kFloat && std::isfinite(value.number)) return value.number;
    if (value.kind == Kind::kInt) return static_cast<double>(value.integer);
    return {};
  };
  settings.eps = number(eps);
  const Ref momentum = pickle.find(attributes, "momentum");
  settings.momentum = number(momentum);
  settings.momentum_known = settings.momentum || (momentum != kNoRef && pickle.at(momentum).kind == Kind::kNone);
  settings.training = mode_of(pickle, attributes);
  return settings;
}

class Walk {
 public:
  explicit Walk(const Pickle& pickle) : pickle_(pickle) {}

  void into(Ref module, const std::string& prefix, std::size_t depth) {
    step();
    if (depth == 0) state_.training = mode_of(pickle_, attributes_of(pickle_, module));
    if (depth > kDeepestModule) throw ModelFileError("its modules are nested too deeply; save model.state_dict()");
    const Ref attributes = attributes_of(pickle_, module);
    const Ref eps = pickle_.find(attributes, "eps");
    if (eps != kNoRef) {
      const std::string name = prefix.empty() ? prefix : prefix.substr(0, prefix.size() - 1);
      state_.settings[name] = settings_of(pickle_, pickle_.at(module).text, attributes, eps);
    }
    for (const char* list : {"_parameters", "_buffers"}) tensors(pickle_.find(attributes, list), prefix);
    each(pickle_.find(attributes, "_modules"), [&](const std::string& name, Ref child) {
      if (is_module(pickle_, child)) into(child, prefix + name + ".", depth + 1);
    });
  }

  StateDict result() { return std::move(state_); }

 private:
  void step() {
    if (++steps_ > kMostSteps) throw ModelFileError("its modules are too many; save model.state_dict()");
  }

  void tensors(Ref dict, const std::string& prefix) {
    each(dict, [&](const std::string& name, Ref value) {
      if (pickle_.at(value).kind != Kind::kTensor) return;
      step();
      state_.tensors.push_back(torch_tensor(pickle_, value, prefix + name));
    });
  }

  template <class F>
  void each(Ref dict, const F& visit) {
    if (dict == kNoRef || pickle_.at(dict).kind != Kind::kDict) return;
    const std::vector<Ref>& items = pickle_.at(dict).items;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      const PickleValue& key = pickle_.at(items[i]);
      if (key.kind == Kind::kString) visit(key.text, items[i + 1]);
    }
  }

  const Pickle& pickle_;
  StateDict state_;
  std::size_t steps_ = 0;
};

}  // namespace

bool is_module(const Pickle& pickle, Ref value) {
  if (pickle.at(value).kind != Kind::kObject) return false;
  const Ref attributes = attributes_of(pickle, value);
  for (const char* name : {"_parameters", "_buffers", "_modules"}) {
    if (pickle.find(attributes, name) == kNoRef) return false;
  }
  return true;
}

StateDict module_state(const Pickle& pickle, Ref module) {
  Walk walk(pickle);
  walk.into(module, "", 0);
  return walk.result();
}

}  // namespace bnlab::model_files
