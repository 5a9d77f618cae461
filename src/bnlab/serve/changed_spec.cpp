#include "bnlab/serve/changed_spec.h"

#include <algorithm>

namespace bnlab {
namespace {

std::string changeable_keys() {
  return join_or({kChangeableKeys.begin(), kChangeableKeys.end()});
}

Json::json_pointer place_of(std::string key) {
  std::replace(key.begin(), key.end(), '.', '/');
  return Json::json_pointer("/" + key);
}

}  // namespace

TrainSpec changed_spec(const RunSpec& base, const Json& changes) {
  if (!std::holds_alternative<TrainSpec>(base)) throw SpecError("base", "only runs that train can be changed");
  if (!changes.is_object() || changes.empty()) throw SpecError("changes", "expected some of " + changeable_keys());
  Json spec = to_json(base);
  for (const auto& change : changes.items()) {
    const bool known = std::find(kChangeableKeys.begin(), kChangeableKeys.end(), change.key()) != kChangeableKeys.end();
    if (!known) throw SpecError(change.key(), "cannot be changed here, only " + changeable_keys());
    Json& value = spec[place_of(change.key())];
    if (change.key() == "model.norm.kind" && value != change.value()) spec["model"]["norm"].erase("options");
    value = change.value();
  }
  auto changed = std::get<TrainSpec>(parse_run_spec(spec));
  std::erase_if(changed.optimizer.milestones, [&](int64_t step) { return step >= changed.steps; });
  return changed;
}

}  // namespace bnlab
