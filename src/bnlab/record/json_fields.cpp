#include "bnlab/record/json_fields.h"

#include <algorithm>
#include <cmath>

namespace bnlab {
namespace {

[[noreturn]] void wrong_type(const std::string& path, const char* expected, const Json& got) {
  throw SpecError(path, std::string("expected ") + expected + ", got " + got.dump());
}

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_name(const std::string& name, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, name.size() / 3) + 1;
  for (const auto& candidate : known) {
    const size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) best = candidate, best_distance = distance;
  }
  return best;
}

std::string join_or(const std::vector<std::string>& names) {
  std::string joined;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) joined += i + 1 == names.size() ? " or " : ", ";
    joined += names[i];
  }
  return joined;
}

JsonFields::JsonFields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
  if (!object.is_object()) wrong_type(where_.empty() ? "the specification" : where_, "a JSON object", object);
}

const Json* JsonFields::find(const std::string& key) {
  known_.push_back(key);
  const auto it = object_.find(key);
  return it == object_.end() ? nullptr : &*it;
}

JsonFields& JsonFields::check(bool holds, const std::string& key, const std::string& expectation) {
  if (!holds) {
    const auto it = object_.find(key);
    throw SpecError(path(key), "expected " + expectation + (it == object_.end() ? "" : ", got " + it->dump()));
  }
  return *this;
}

void JsonFields::finish() const {
  for (const auto& item : object_.items()) {
    if (std::find(known_.begin(), known_.end(), item.key()) != known_.end()) continue;
    const std::string near = nearest_name(item.key(), known_);
    throw SpecError(path(item.key()), near.empty() ? "is no known key; known here: " + join_or(known_)
                                                   : "is no known key; did you mean \"" + near + "\"?");
  }
}

void read_value(const Json& json, const std::string& path, bool& value) {
  if (!json.is_boolean()) wrong_type(path, "true or false", json);
  value = json.get<bool>();
}

void read_value(const Json& json, const std::string& path, int64_t& value) {
  if (!json.is_number_integer()) wrong_type(path, "a whole number", json);
  if (json.is_number_unsigned() && json.get<uint64_t>() > uint64_t{INT64_MAX}) {
    wrong_type(path, "a whole number below 2^63", json);
  }
  value = json.get<int64_t>();
}

void read_value(const Json& json, const std::string& path, double& value) {
  if (!json.is_number()) wrong_type(path, "a number", json);
  value = json.get<double>();
  if (!std::isfinite(value)) wrong_type(path, "a finite number", json);
}

void read_value(const Json& json, const std::string& path, std::optional<double>& value) {
  value.reset();
  if (!json.is_null()) read_value(json, path, value.emplace());
}

void read_value(const Json& json, const std::string& path, std::string& value) {
  if (!json.is_string()) wrong_type(path, "a text", json);
  value = json.get<std::string>();
}

void read_value(const Json& json, const std::string& path, std::vector<int64_t>& value) {
  if (!json.is_array()) wrong_type(path, "a list of whole numbers", json);
  value.assign(json.size(), 0);
  for (size_t i = 0; i < json.size(); ++i) read_value(json[i], path + "[" + std::to_string(i) + "]", value[i]);
}

void read_value(const Json& json, const std::string& path, std::vector<std::string>& value) {
  if (!json.is_array()) wrong_type(path, "a list of texts", json);
  value.assign(json.size(), "");
  for (size_t i = 0; i < json.size(); ++i) read_value(json[i], path + "[" + std::to_string(i) + "]", value[i]);
}

void read_value(const Json& json, const std::string& path, Options& value) {
  if (!json.is_object()) wrong_type(path, "an object of numbers and words", json);
  value.clear();
  for (const auto& item : json.items()) {
    const std::string where = path + "." + item.key();
    if (item.value().is_string()) {
      value[item.key()] = item.value().get<std::string>();
    } else if (item.value().is_number()) {
      double number = 0;
      read_value(item.value(), where, number);
      value[item.key()] = number;
    } else {
      wrong_type(where, "a number or a word", item.value());
    }
  }
}

void read_value(const Json& json, const std::string&, Json& value) {
  value = json;
}

}  // namespace bnlab
