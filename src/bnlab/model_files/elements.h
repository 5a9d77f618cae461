// Numbers as files store them: little-endian, of any type of PyTorch's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bnlab/doctor/facts.h"

namespace bnlab::model_files {

enum class ElementType {
  kFloat64,
  kFloat32,
  kFloat16,
  kBfloat16,
  kInt64,
  kInt32,
  kInt16,
  kInt8,
  kUint8,
  kBool,
  kOther  ///< known by its size alone, e.g. complex or float8; its values are not read
};

struct Element {
  ElementType type = ElementType::kOther;
  std::size_t bytes = 0;
  std::string name;  ///< as PyTorch calls it, e.g. "bfloat16"
};

/// The number whose element.bytes bytes begin at `at`. element: not kOther.
double number_at(const char* at, const Element& element);

}  // namespace bnlab::model_files
