#include "bnlab/probes/places.h"

#include <algorithm>
#include <stdexcept>

namespace bnlab {
namespace {

struct Place {
  const char* name;
  const char* prefix;
};

Place place_of(TapPoint point) {
  switch (point) {
    case TapPoint::kLinear:
      return {"linear", "linear_"};
    case TapPoint::kActivationInput:
      return {"activation-input", ""};
    case TapPoint::kOutput:
      return {"output", "output_"};
  }
  throw std::logic_error("no such place");
}

bool is_place(const std::string& name) {
  return name == place_of(TapPoint::kLinear).name || name == place_of(TapPoint::kActivationInput).name ||
         name == place_of(TapPoint::kOutput).name;
}

}  // namespace

void Places::read(JsonFields& fields) {
  fields.optional("places", names_);
  std::sort(names_.begin(), names_.end());
  const bool different = std::adjacent_find(names_.begin(), names_.end()) == names_.end();
  fields.check(!names_.empty() && different && std::all_of(names_.begin(), names_.end(), is_place), "places",
               "a list of \"linear\", \"activation-input\" and \"output\", each at most once");
}

void Places::complete(Json& parameters) const {
  parameters["places"] = names_;
}

std::optional<std::string> Places::prefix(TapPoint point) const {
  const Place place = place_of(point);
  if (std::find(names_.begin(), names_.end(), place.name) == names_.end()) return std::nullopt;
  return place.prefix;
}

}  // namespace bnlab
