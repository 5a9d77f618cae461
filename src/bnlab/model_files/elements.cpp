#include "bnlab/model_files/elements.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace bnlab::model_files {
namespace {

static_assert(std::endian::native == std::endian::little, "the files that are read are little-endian");

template <class T>
double plain(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return static_cast<double>(value);
}

double bfloat16_at(const char* at) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof bits);
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// IEEE 754 binary16: 1 bit of sign, 5 of exponent (bias 15), 10 of fraction.
double float16_at(const char* at) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof bits);
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent == 31) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

}  // namespace

double number_at(const char* at, const Element& element) {
  switch (element.type) {
    case ElementType::kFloat64:
      return plain<double>(at);
    case ElementType::kFloat32:
      return plain<float>(at);
    case ElementType::kFloat16:
      return float16_at(at);
    case ElementType::kBfloat16:
      return bfloat16_at(at);
    case ElementType::kInt64:
      return plain<std::int64_t>(at);
    case ElementType::kInt32:
      return plain<std::int32_t>(at);
    case ElementType::kInt16:
      return plain<std::int16_t>(at);
    case ElementType::kInt8:
      return plain<std::int8_t>(at);
    case ElementType::kUint8:
      return plain<std::uint8_t>(at);
    case ElementType::kBool:
      return *at != 0;
    case ElementType::kOther:
      break;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace bnlab::model_files
