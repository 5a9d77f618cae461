// Strict reading of JSON objects: every key known, of the right type, in range; errors name the key by its full path.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bnlab/record/options.h"

namespace bnlab {

using Json = nlohmann::json;

/// A specification that cannot be run. what() is one sentence that begins with the key's path, e.g.
/// "optimizer.lr: expected a number above 0, got -1".
class SpecError : public std::runtime_error {
 public:
  SpecError(const std::string& key, const std::string& problem) : std::runtime_error(key + ": " + problem), key_(key) {}
  const std::string& key() const { return key_; }

 private:
  std::string key_;
};

/// Reads `json`, which stands at `path`, into `value`. Throws SpecError if it is of another type; numbers are finite.
/// JsonFields finds further overloads in this namespace for its callers' own types.
void read_value(const Json& json, const std::string& path, bool& value);
void read_value(const Json& json, const std::string& path, int64_t& value);
void read_value(const Json& json, const std::string& path, double& value);
void read_value(const Json& json, const std::string& path, std::optional<double>& value);  // null: none
void read_value(const Json& json, const std::string& path, std::string& value);
void read_value(const Json& json, const std::string& path, std::vector<int64_t>& value);
void read_value(const Json& json, const std::string& path, std::vector<std::string>& value);
void read_value(const Json& json, const std::string& path, Options& value);
void read_value(const Json& json, const std::string& path, Json& value);

/// Reads the fields of one JSON object. Usage: construct, call required()/optional() for each field, then finish().
class JsonFields {
 public:
  /// `where` is the object's own path ("" for the top level). Throws SpecError if `object` is no JSON object.
  JsonFields(const Json& object, std::string where);

  /// Reads `key` into `value`, of any type that has a read_value(); throws SpecError if it is absent or of another
  /// type.
  template <class T>
  JsonFields& required(const std::string& key, T& value) {
    const Json* found = find(key);
    if (!found) throw SpecError(path(key), "is missing");
    read_value(*found, path(key), value);
    return *this;
  }

  /// As required(), but an absent key leaves `value` as it is.
  template <class T>
  JsonFields& optional(const std::string& key, T& value) {
    if (const Json* found = find(key)) read_value(*found, path(key), value);
    return *this;
  }

  /// Throws SpecError naming `key` unless `holds`. `expectation` completes "expected ...".
  JsonFields& check(bool holds, const std::string& key, const std::string& expectation);

  /// Throws SpecError if the object has a key that no call asked for; suggests the nearest known key.
  void finish() const;

  std::string path(const std::string& key) const { return where_.empty() ? key : where_ + "." + key; }

 private:
  const Json* find(const std::string& key);

  const Json& object_;
  std::string where_;
  std::vector<std::string> known_;
};

/// The name in `known` that is nearest to `name` by edit distance, or "" if none is near.
std::string nearest_name(const std::string& name, const std::vector<std::string>& known);

/// "a, b or c".
std::string join_or(const std::vector<std::string>& names);

}  // namespace bnlab
