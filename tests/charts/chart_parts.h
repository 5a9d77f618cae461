// Looking into a chart's specification.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "bnlab/charts/specification.h"

namespace bnlab::testing {

/// Every object with "encoding" in the chart: itself, its layers, its panels.
inline std::vector<Json> units_of(const Json& part) {
  std::vector<Json> units;
  if (part.contains("encoding")) units.push_back(part);
  for (const char* inner : {"layer", "concat"}) {
    if (!part.contains(inner)) continue;
    for (const Json& one : part[inner]) {
      for (Json& unit : units_of(one)) units.push_back(std::move(unit));
    }
  }
  return units;
}

/// The first unit with this kind of mark, or null.
inline Json unit_with(const Json& chart, const std::string& mark) {
  for (const Json& unit : units_of(chart)) {
    if (unit.contains("mark") && unit["mark"].is_object() && unit["mark"]["type"] == mark) return unit;
  }
  return {};
}

/// Whether any number in it is not one; JSON itself would write null.
inline bool has_number_that_is_none(const Json& part) {
  if (part.is_number_float() && !std::isfinite(part.get<double>())) return true;
  if (!part.is_structured()) return false;
  for (const Json& inner : part) {
    if (has_number_that_is_none(inner)) return true;
  }
  return false;
}

inline std::vector<double> numbers(const Json& values, const char* field) {
  std::vector<double> all;
  for (const Json& value : values) all.push_back(value.at(field));
  return all;
}

inline bool says_no_data(const Json& chart) {
  return chart["mark"]["type"] == "text" && chart["mark"]["text"].get<std::string>().starts_with("no data");
}

}  // namespace bnlab::testing
