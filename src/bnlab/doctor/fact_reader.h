// How facts are read from JSON: lists of channels, numbers that are not finite, objects that may be missing.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "bnlab/doctor/numbers.h"
#include "bnlab/record/json_fields.h"

namespace bnlab::doctor {

inline double number_of(const Json& json, const std::string& path) {
  if (json == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (json == "Infinity") return std::numeric_limits<double>::infinity();
  if (json == "-Infinity") return -std::numeric_limits<double>::infinity();
  if (json.is_string()) throw SpecError(path, "expected a number, NaN, Infinity or -Infinity, got " + json.dump());
  double value = 0;
  read_value(json, path, value);
  return value;
}

inline Numbers numbers_of(const Json& json, const std::string& path) {
  if (!json.is_array()) throw SpecError(path, "expected a list of numbers, got " + json.dump());
  Numbers values;
  values.reserve(json.size());
  for (std::size_t i = 0; i < json.size(); ++i) {
    values.push_back(number_of(json[i], path + "[" + std::to_string(i) + "]"));
  }
  return values;
}

/// Reads one object at a time; lists of channels must have one value for each.
class Reader {
 public:
  Reader(const Json& object, const std::string& where) : fields_(object, where) {}

  JsonFields& fields() { return fields_; }

  void list(const std::string& key, Numbers& values, std::optional<std::size_t> size = {}) {
    Json json;
    fields_.required(key, json);
    values = numbers_of(json, fields_.path(key));
    fields_.check(!size || values.size() == *size, key, "a list of " + std::to_string(size.value_or(0)) + " numbers");
  }
  void optional_list(const std::string& key, std::optional<Numbers>& values, std::optional<std::size_t> size = {}) {
    if (has(key)) list(key, values.emplace(), size);
  }
  void list_or_none(const std::string& key, Numbers& values, std::optional<std::size_t> size = {}) {
    if (has(key)) list(key, values, size);
  }
  /// Reads the value if the key is there and not null.
  template <class T>
  void value_or_none(const std::string& key, std::optional<T>& value) {
    object(key, [&](const Json& json, const std::string& path) {
      if constexpr (std::is_same_v<T, double>) {
        value = number_of(json, path);
      } else {
        read_value(json, path, value.emplace());
      }
    });
  }
  /// Calls read(json, path) if the key is there and not null.
  template <class F>
  void object(const std::string& key, const F& read) {
    Json json;
    fields_.optional(key, json);
    if (!json.is_null()) read(json, fields_.path(key));
  }

 private:
  bool has(const std::string& key) {
    Json json;
    fields_.optional(key, json);
    return !json.is_null();
  }

  JsonFields fields_;
};

template <class T, class F>
void read_list(JsonFields& fields, const std::string& key, std::vector<T>& values, const F& read) {
  Json json = Json::array();
  fields.optional(key, json).check(json.is_array(), key, "a list");
  for (std::size_t i = 0; i < json.size(); ++i) {
    values.push_back(read(json[i], fields.path(key) + "[" + std::to_string(i) + "]"));
  }
}

}  // namespace bnlab::doctor
