// TensorProto: the numbers of a constant, as raw bytes or in a list of their type.
#include <fmt/format.h>

#include <bit>

#include "bnlab/model_files/elements.h"
#include "bnlab/model_files/model_error.h"
#include "bnlab/model_files/onnx_model.h"
#include "bnlab/model_files/protobuf_wire.h"

namespace bnlab::model_files {
namespace {

/// TensorProto.DataType.
enum OnnxType : std::int64_t {
  kOnnxFloat = 1,
  kOnnxInt32 = 6,
  kOnnxInt64 = 7,
  kOnnxBool = 9,
  kOnnxHalf = 10,
  kOnnxDouble = 11,
  kOnnxBfloat16 = 16
};

Element element_of(std::int64_t type) {
  switch (type) {
    case kOnnxFloat:
      return {ElementType::kFloat32, 4, "float32"};
    case kOnnxInt32:
      return {ElementType::kInt32, 4, "int32"};
    case kOnnxInt64:
      return {ElementType::kInt64, 8, "int64"};
    case kOnnxBool:
      return {ElementType::kBool, 1, "bool"};
    case kOnnxHalf:
      return {ElementType::kFloat16, 2, "float16"};
    case kOnnxDouble:
      return {ElementType::kFloat64, 8, "float64"};
    case kOnnxBfloat16:
      return {ElementType::kBfloat16, 2, "bfloat16"};
  }
  throw ModelFileError(fmt::format("has a constant of ONNX's data type {}, which is not read here", type));
}

void append_bytes(std::string_view bytes, const Element& element, doctor::Numbers& values) {
  if (bytes.size() % element.bytes != 0) {
    throw ModelFileError("is damaged: a constant's bytes are no whole number of values");
  }
  values.reserve(values.size() + bytes.size() / element.bytes);
  for (std::size_t i = 0; i < bytes.size(); i += element.bytes) {
    values.push_back(number_at(bytes.data() + i, element));
  }
}

/// One value of int32_data or int64_data; half precision is held as bits.
double value_of_int(std::int64_t value, const Element& element) {
  if (element.bytes != 2) return static_cast<double>(value);
  const auto bits = static_cast<std::uint16_t>(value);
  return number_at(reinterpret_cast<const char*>(&bits), element);
}

/// The bytes of a list of float or double, packed or one value.
void append_list(const WireField& field, const Element& element, doctor::Numbers& values) {
  if (field.type == WireType::kBytes) return append_bytes(field.bytes, element, values);
  values.push_back(element.bytes == 4 ? field.as_float() : std::bit_cast<double>(field.value));
}

std::string place_of_external(std::string_view entry) {
  std::string key, value;
  WireReader reader(entry);
  for (WireField field; reader.next(field);) {
    if (field.number == 1) key = std::string(field.bytes);
    if (field.number == 2) value = std::string(field.bytes);
  }
  return key == "location" ? value : "";
}

struct TensorHead {
  std::int64_t type = 0;
  std::uint64_t count = 1;  ///< product of the sizes
  bool external = false;
  std::string location, name;
};

TensorHead head_of(std::string_view tensor) {
  TensorHead head;
  WireReader reader(tensor);
  for (WireField field; reader.next(field);) {
    if (field.number == 1) {
      for_each_int(field, [&](std::int64_t size) {
        constexpr std::uint64_t kMost = std::uint64_t{1} << 40;
        if (size < 0 || (size > 0 && head.count > kMost / static_cast<std::uint64_t>(size))) {
          throw ModelFileError("is damaged: a constant of an impossible size");
        }
        head.count *= static_cast<std::uint64_t>(size);
      });
    }
    if (field.number == 2) head.type = field.as_int();
    if (field.number == 8) head.name = std::string(field.bytes);
    if (field.number == 13) head.location += place_of_external(field.bytes);
    if (field.number == 14) head.external = field.value == 1;
  }
  return head;
}

}  // namespace

OnnxValues onnx_values(std::string_view tensor) {
  const TensorHead head = head_of(tensor);
  if (head.external) {
    throw ModelFileError(
        fmt::format("keeps its weights in another file ({}), which is not read; save it with them inside: "
                    "onnx.save(onnx.load(FILE), OUT)",
                    head.location));
  }
  constexpr std::uint64_t kMostValues = 1 << 20;
  if (head.count > kMostValues) {
    throw ModelFileError(fmt::format("has {} values in {}, more than a layer has channels", head.count, head.name));
  }
  const Element element = element_of(head.type);
  OnnxValues result{element.name, {}};
  WireReader reader(tensor);
  for (WireField field; reader.next(field);) {
    if (field.number == 9) append_bytes(field.bytes, element, result.values);
    if (field.number == 4 && head.type == kOnnxFloat) append_list(field, element, result.values);
    if (field.number == 10 && head.type == kOnnxDouble) append_list(field, element, result.values);
    if (field.number == 5 || (field.number == 7 && head.type == kOnnxInt64)) {
      for_each_int(field, [&](std::int64_t value) { result.values.push_back(value_of_int(value, element)); });
    }
  }
  if (result.values.size() != head.count) {
    throw ModelFileError(fmt::format("is damaged: the constant {} has {} values, and should have {}", head.name,
                                     result.values.size(), head.count));
  }
  return result;
}

}  // namespace bnlab::model_files
