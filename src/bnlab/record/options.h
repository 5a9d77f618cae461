// Named options of a model, a normalization or an optimizer: numbers and words. Which exist is declared beside each
// kind (nn/options.h).
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <type_traits>
#include <variant>

namespace bnlab {

/// A number or a word.
class OptionValue {
 public:
  OptionValue() = default;
  template <class Number>
  requires std::is_arithmetic_v<Number> OptionValue(Number number) : value_(static_cast<double>(number)) {}
  OptionValue(std::string word) : value_(std::move(word)) {}
  OptionValue(const char* word) : value_(std::string(word)) {}

  bool is_word() const { return std::holds_alternative<std::string>(value_); }
  /// Throws std::bad_variant_access if it is a word.
  double number() const { return std::get<double>(value_); }
  /// Throws std::bad_variant_access if it is a number.
  const std::string& word() const { return std::get<std::string>(value_); }

  bool operator==(const OptionValue&) const = default;

 private:
  std::variant<double, std::string> value_ = 0.0;
};

void to_json(nlohmann::json& json, const OptionValue& value);

/// As JSON writes it: 0.1, "tanh".
std::string to_string(const OptionValue& value);

/// Options by name. Complete ones hold every option of their kind, of the declared type.
class Options : public std::map<std::string, OptionValue> {
 public:
  using map::map;
  /// Throws std::out_of_range if there is none of this name.
  double number(const std::string& name) const { return at(name).number(); }
  const std::string& word(const std::string& name) const { return at(name).word(); }
};

}  // namespace bnlab
