#include "bnlab/bench/element_type.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>

namespace bnlab::bench {

std::string element_type_names() {
  std::string names;
  for (const ElementType& type : kElementTypes) {
    const bool last = &type == std::end(kElementTypes) - 1;
    names += (names.empty() ? "" : last ? " or " : ", ") + std::string(type.name);
  }
  return names;
}

const ElementType& element_type(const std::string& name) {
  const auto* found = std::find_if(std::begin(kElementTypes), std::end(kElementTypes),
                                   [&](const ElementType& type) { return type.name == name; });
  if (found != std::end(kElementTypes)) return *found;
  throw std::invalid_argument(
      fmt::format("--type: \"{}\" is no type of elements; give {}", name, element_type_names()));
}

}  // namespace bnlab::bench
