#include "bnlab/cli/probe_flag.h"

#include <algorithm>
#include <cctype>

#include "bnlab/record/parse_json.h"

namespace bnlab {
namespace {

constexpr char kFlag[] = "--probe";

[[noreturn]] void refuse(const std::string& text, const std::string& problem) {
  throw SpecError(kFlag, "expected NAME or NAME:KEY=VALUE,…, got \"" + text + "\"" + problem);
}

/// `text` cut at the commas outside of lists and objects.
std::vector<std::string> cut(const std::string& text) {
  std::vector<std::string> items(1);
  int depth = 0;
  for (const char c : text) {
    if (c == ',' && depth == 0) {
      items.emplace_back();
      continue;
    }
    depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
    items.back() += c;
  }
  return items;
}

bool is_plain_word(const std::string& text) {
  if (text == "true" || text == "false" || text == "null" || !std::isalpha(static_cast<unsigned char>(text[0]))) {
    return false;
  }
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; });
}

Json parse_value(const std::string& key, const std::string& text) {
  if (is_plain_word(text)) return text;
  try {
    return parse_json(text, key);
  } catch (const JsonError& error) {
    throw SpecError(kFlag, "the value of " + key + " " + error.problem());
  }
}

}  // namespace

Json parse_probe_flag(const std::string& text) {
  const size_t colon = text.find(':');
  Json probe = {{"name", text.substr(0, colon)}, {"parameters", Json::object()}};
  if (text.empty() || colon == 0) refuse(text, ": the name is missing");
  if (colon == std::string::npos) return probe;
  for (const std::string& item : cut(text.substr(colon + 1))) {
    const size_t equals = item.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == item.size()) {
      refuse(text, item.empty() ? ", where something is missing" : ": \"" + item + "\" is not KEY=VALUE");
    }
    const std::string key = item.substr(0, equals);
    const bool schedule = key == "every" || key == "from" || key == "at_end";
    Json& place = schedule ? probe : probe["parameters"];
    if (place.contains(key)) refuse(text, ", which gives " + key + " twice");
    place[key] = parse_value(key, item.substr(equals + 1));
  }
  return probe;
}

}  // namespace bnlab
