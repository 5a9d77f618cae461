#include "bnlab/nn/options.h"

#include <algorithm>

namespace bnlab {

Options complete_options(const std::vector<OptionInfo>& known, const Options& given, const std::string& owner) {
  for (const auto& [name, value] : given) {
    const auto it = std::find_if(known.begin(), known.end(), [&](const OptionInfo& info) { return info.name == name; });
    if (it == known.end()) {
      std::string names;
      for (const auto& info : known) names += (names.empty() ? "" : ", ") + info.name;
      throw OptionError(name, owner + " has no option \"" + name + "\"; it has: " + (names.empty() ? "none" : names));
    }
    if (!(value >= it->low && value <= it->high)) {
      throw OptionError(name, owner + ": expected " + name + " from " + std::to_string(it->low) + " to " +
                                  std::to_string(it->high) + ", got " + std::to_string(value));
    }
  }
  Options complete = given;
  for (const auto& info : known) complete.emplace(info.name, info.value);
  return complete;
}

}  // namespace bnlab
