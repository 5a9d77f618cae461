#include "bnlab/probes/places.h"

#include <algorithm>

namespace bnlab {
namespace {

constexpr char kActivationInput[] = "activation-input";
constexpr char kLinear[] = "linear";

}  // namespace

void Places::read(JsonFields& fields) {
  fields.optional("places", names_);
  std::sort(names_.begin(), names_.end());
  const auto known = [](const std::string& name) { return name == kActivationInput || name == kLinear; };
  const bool different = std::adjacent_find(names_.begin(), names_.end()) == names_.end();
  fields.check(!names_.empty() && different && std::all_of(names_.begin(), names_.end(), known), "places",
               "a list of \"linear\", \"activation-input\" or both");
}

void Places::complete(Json& parameters) const {
  parameters["places"] = names_;
}

std::optional<std::string> Places::prefix(TapPoint point) const {
  if (point == TapPoint::kOutput) return std::nullopt;
  const bool linear = point == TapPoint::kLinear;
  if (std::find(names_.begin(), names_.end(), linear ? kLinear : kActivationInput) == names_.end()) return std::nullopt;
  return linear ? "linear_" : "";
}

}  // namespace bnlab
