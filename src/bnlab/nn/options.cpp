#include "bnlab/nn/options.h"

#include <algorithm>
#include <cmath>

#include "bnlab/record/json_fields.h"

namespace bnlab {
namespace {

std::string expectation(const OptionInfo& info) {
  if (!info.choices.empty()) return join_or(info.choices);
  const std::string low = to_string(info.low), high = to_string(info.high);
  if (std::isinf(info.low) && std::isinf(info.high)) return "a number";
  if (std::isinf(info.high)) return "a number of at least " + low;
  if (std::isinf(info.low)) return "a number of at most " + high;
  return "a number from " + low + " to " + high;
}

bool fits(const OptionInfo& info, const OptionValue& value) {
  if (value.is_word()) {
    return std::find(info.choices.begin(), info.choices.end(), value.word()) != info.choices.end();
  }
  return info.choices.empty() && value.number() >= info.low && value.number() <= info.high;
}

const OptionInfo& find_option(const std::vector<OptionInfo>& known, const std::string& name, const std::string& owner) {
  std::vector<std::string> names;
  for (const auto& info : known) {
    if (info.name == name) return info;
    names.push_back(info.name);
  }
  throw OptionError(name,
                    owner + " has no option \"" + name + "\"; it has " + (names.empty() ? "none" : join_or(names)));
}

}  // namespace

Options complete_options(const std::vector<OptionInfo>& known, const Options& given, const std::string& owner) {
  for (const auto& [name, value] : given) {
    const OptionInfo& info = find_option(known, name, owner);
    if (fits(info, value)) continue;
    throw OptionError(name, owner + ": expected " + name + " to be " + expectation(info) + ", got " + to_string(value));
  }
  Options complete = given;
  for (const auto& info : known) complete.emplace(info.name, info.value);
  return complete;
}

Options without_defaults(const std::vector<OptionInfo>& known, Options options) {
  for (const auto& info : known) {
    if (const auto it = options.find(info.name); it != options.end() && it->second == info.value) options.erase(it);
  }
  return options;
}

}  // namespace bnlab
