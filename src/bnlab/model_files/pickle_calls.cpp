// What a pickle's calls stand for: tensors and plain containers; everything else stays a name.
#include <set>

#include "bnlab/model_files/model_error.h"
#include "bnlab/model_files/unpickler.h"

namespace bnlab::model_files {
namespace {

const std::set<std::string> kDicts = {"collections.OrderedDict", "collections.defaultdict", "builtins.dict",
                                      "__builtin__.dict"};
const std::set<std::string> kSets = {"builtins.set", "__builtin__.set", "builtins.frozenset", "__builtin__.frozenset"};
const std::set<std::string> kParameters = {"torch._utils._rebuild_parameter",
                                           "torch._utils._rebuild_parameter_with_state"};
const std::set<std::string> kHarmless = {"torch.device", "torch.Size", "_codecs.encode"};  // said of no file

constexpr const char* kRebuildOfType = "torch._tensor._rebuild_from_type_v2";

constexpr std::size_t kMostArguments = 100, kLongestKey = 100;

[[noreturn]] void throw_bad_tensor() {
  throw ModelFileError("a tensor in its pickle is damaged; save the model again");
}

}  // namespace

Ref Unpickler::call(Ref callable, Ref arguments) {
  const PickleValue& called = pickle_.at(callable);
  if (pickle_.at(arguments).kind != Kind::kTuple) return object_of("a call", {});
  if (pickle_.at(arguments).items.size() > kMostArguments) return object_of("a call of many arguments", {});
  const std::vector<Ref> given = pickle_.at(arguments).items;  // a copy: what follows may move the values
  if (called.kind != Kind::kGlobal) return object_of("a call of an object", given);
  const std::string name = called.text;
  if (name == "torch._utils._rebuild_tensor" || name == "torch._utils._rebuild_tensor_v2") return tensor(given, false);
  if (name == "torch._utils._rebuild_tensor_v3") return tensor(given, true);
  if (kParameters.count(name) > 0) {
    if (given.empty()) throw_bad_tensor();
    return given.front();
  }
  if (name == kRebuildOfType && given.size() == 4) {
    const bool is_nested = pickle_.at(given[0]).text == kRebuildOfType;  // as deep as a hostile file wants
    return is_nested ? object_of(name, given) : call(given[0], given[2]);
  }
  if (name == "torch.Size" && given.size() == 1) return given.front();
  if (kDicts.count(name) > 0) return dict_of(given);
  if (kSets.count(name) > 0 && given.size() <= 1) {
    PickleValue made;
    made.kind = Kind::kSet;
    if (!given.empty()) made.items = pickle_.at(given.front()).items;
    return add(std::move(made));
  }
  return object_of(name, given);
}

Ref Unpickler::object_of(const std::string& name, const std::vector<Ref>& arguments) {
  const bool of_torch_nn = name.rfind("torch.nn.modules.", 0) == 0;
  if (kHarmless.count(name) == 0 && !of_torch_nn) pickle_.calls.insert(name);
  PickleValue made;
  made.kind = Kind::kObject;
  made.text = name;
  made.items = arguments;
  return add(std::move(made));
}

/// arguments: none, or a list of pairs; defaultdict's function counts for nothing.
Ref Unpickler::dict_of(const std::vector<Ref>& arguments) {
  PickleValue made;
  made.kind = Kind::kDict;
  if (!arguments.empty()) {
    const PickleValue& pairs = pickle_.at(arguments.back());
    if (pairs.kind == Kind::kDict) made.items = pairs.items;
    for (const Ref pair : pairs.kind == Kind::kList ? pairs.items : std::vector<Ref>{}) {
      const std::vector<Ref>& both = pickle_.at(pair).items;
      if (both.size() != 2) throw ModelFileError("a dict in its pickle is damaged; save the model again");
      made.items.insert(made.items.end(), both.begin(), both.end());
    }
  }
  return add(std::move(made));
}

/// arguments: storage, offset, shape, strides, requires_grad, hooks and, if has_type, the element type; last, metadata.
Ref Unpickler::tensor(const std::vector<Ref>& arguments, bool has_type) {
  const std::size_t metadata = has_type ? 7 : 6;
  if (arguments.size() < 4 || (has_type && arguments.size() < 7)) throw_bad_tensor();
  const auto is = [&](std::size_t index, Kind kind) { return pickle_.at(arguments[index]).kind == kind; };
  if (!is(0, Kind::kStorage) || !is(1, Kind::kInt) || !is(2, Kind::kTuple) || !is(3, Kind::kTuple) ||
      (has_type && !is(6, Kind::kGlobal))) {
    throw_bad_tensor();
  }
  PickleValue made;
  made.kind = Kind::kTensor;
  made.integer = pickle_.at(arguments[1]).integer;
  made.items = {arguments[0], arguments[2], arguments[3]};
  if (has_type) made.items.push_back(arguments[6]);
  made.is_plain = arguments.size() <= metadata || pickle_.at(arguments[metadata]).items.empty();
  return add(std::move(made));
}

/// id: ("storage", type, key, location, length, …), or ("module", class, …) of torch before 1.6.
Ref Unpickler::persistent(Ref id) {
  if (pickle_.at(id).items.size() > kMostArguments) throw_bad_tensor();
  const std::vector<Ref> parts = pickle_.at(id).items;
  const bool named = parts.size() >= 2 && pickle_.at(parts[0]).kind == Kind::kString;
  if (named && pickle_.at(parts[0]).text == "module") return parts[1];
  if (!named || pickle_.at(parts[0]).text != "storage" || parts.size() < 5 ||
      pickle_.at(parts[1]).kind != Kind::kGlobal || pickle_.at(parts[2]).kind != Kind::kString ||
      pickle_.at(parts[2]).text.size() > kLongestKey) {
    throw ModelFileError(
        "its pickle refers to something outside it that is no storage; save the model with torch.save");
  }
  if (parts.size() > 5 && pickle_.at(parts[5]).kind != Kind::kNone) {
    throw ModelFileError(
        "it holds views of storages as torch before 0.4 wrote them; load it once and torch.save() it again");
  }
  PickleValue made;
  made.kind = Kind::kStorage;
  made.text = pickle_.at(parts[2]).text;
  made.items = {parts[1]};
  return add(std::move(made));
}

}  // namespace bnlab::model_files
