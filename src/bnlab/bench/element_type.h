// The types of elements that batches are measured in, by the names that users give them.
#pragma once

#include <cstdint>
#include <string>

#include "bnlab/kernels/element.h"

namespace bnlab::bench {

struct ElementType {
  const char* name;
  std::int64_t bytes;  ///< of an element
};

inline constexpr ElementType kElementTypes[] = {{"f32", 4}, {"bf16", 2}, {"f16", 2}, {"f64", 8}};

/// "f32, bf16, f16 or f64"
[[nodiscard]] std::string element_type_names();

/// Throws std::invalid_argument, which names --type and all types, for an unknown name.
[[nodiscard]] const ElementType& element_type(const std::string& name);

/// Calls f(E{}) with the kernels' element type E. Throws as element_type() does.
template <class F>
void with_element_type(const std::string& name, const F& f) {
  const std::string known = element_type(name).name;
  if (known == "f32") return f(float{});
  if (known == "bf16") return f(kernels::BFloat16{});
  if (known == "f16") return f(kernels::Float16{});
  return f(double{});
}

}  // namespace bnlab::bench
