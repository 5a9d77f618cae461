#include "bnlab/model_files/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "bnlab/model_files/model_error.h"
#include "bnlab/record/parse_json.h"

namespace bnlab::model_files {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kMostHeader = 100'000'000;  // as the format's own readers

const std::map<std::string, Element> kElements = {
    {"F64", {ElementType::kFloat64, 8, "float64"}},
    {"F32", {ElementType::kFloat32, 4, "float32"}},
    {"F16", {ElementType::kFloat16, 2, "float16"}},
    {"BF16", {ElementType::kBfloat16, 2, "bfloat16"}},
    {"I64", {ElementType::kInt64, 8, "int64"}},
    {"I32", {ElementType::kInt32, 4, "int32"}},
    {"I16", {ElementType::kInt16, 2, "int16"}},
    {"I8", {ElementType::kInt8, 1, "int8"}},
    {"U8", {ElementType::kUint8, 1, "uint8"}},
    {"BOOL", {ElementType::kBool, 1, "bool"}},
    {"U16", {ElementType::kOther, 2, "uint16"}},
    {"U32", {ElementType::kOther, 4, "uint32"}},
    {"U64", {ElementType::kOther, 8, "uint64"}},
    {"F8_E4M3", {ElementType::kOther, 1, "float8_e4m3fn"}},
    {"F8_E5M2", {ElementType::kOther, 1, "float8_e5m2"}},
    {"F8_E8M0", {ElementType::kOther, 1, "float8_e8m0fnu"}},
    {"C64", {ElementType::kOther, 8, "complex64"}},
};

std::uint64_t header_length(std::string_view bytes) {
  std::uint64_t length = 0;
  if (bytes.size() > kLengthBytes) std::memcpy(&length, bytes.data(), sizeof length);
  return length;
}

StoredTensor tensor_of(const std::string& name, const Json& json) {
  StoredTensor tensor;
  std::string type;
  std::vector<std::int64_t> offsets;
  JsonFields fields(json, name);
  fields.required("dtype", type).required("shape", tensor.shape).required("data_offsets", offsets);
  const auto element = kElements.find(type);
  fields.check(element != kElements.end(), "dtype", "a type that safetensors has, got " + type);
  fields.check(offsets.size() == 2 && offsets[0] >= 0 && offsets[1] >= offsets[0], "data_offsets",
               "two numbers, of which the second is not smaller");
  fields.finish();
  tensor.name = name;
  tensor.element = element->second;
  tensor.strides = row_major_strides(tensor.shape);
  tensor.offset = static_cast<std::uint64_t>(offsets[0]);
  const auto size = static_cast<std::uint64_t>(offsets[1] - offsets[0]);
  const std::uint64_t count = element_count(tensor);
  fields.check(count <= size && count * tensor.element.bytes == size, "data_offsets",
               fmt::format("{} bytes for its shape and type, got {}", count * tensor.element.bytes, size));
  return tensor;
}

/// The format leaves no gaps: every byte of the data belongs to one tensor.
void check_cover(const std::vector<StoredTensor>& in_order, std::uint64_t size) {
  std::uint64_t end = 0;
  for (const StoredTensor& tensor : in_order) {
    if (tensor.offset != end) {
      throw ModelFileError(fmt::format("the bytes of {} {} those of the tensor before it; the file is damaged",
                                       tensor.name, tensor.offset < end ? "overlap" : "leave a gap to"));
    }
    end += element_count(tensor) * tensor.element.bytes;
    if (end > size) {
      throw ModelFileError(
          fmt::format("{} reaches beyond the end of the file, which is cut off; copy it again", tensor.name));
    }
  }
  if (end != size) throw ModelFileError(fmt::format("{} bytes at the end belong to no tensor", size - end));
}

}  // namespace

bool claims_safetensors(const ModelBytes& file) {
  const std::uint64_t length = header_length(file.bytes);
  return length >= 2 && length <= kMostHeader && file.bytes[kLengthBytes] == '{';
}

StateDict safetensors_state(const ModelBytes& file) {
  const std::uint64_t length = header_length(file.bytes);
  if (length > file.bytes.size() - kLengthBytes) throw ModelFileError("its header is cut off; copy the file again");
  const std::string_view data = file.bytes.substr(kLengthBytes + length);
  StateDict state;
  try {
    const Json header = parse_json(std::string(file.bytes.substr(kLengthBytes, length)), "the header");
    for (const auto& [name, json] : header.items()) {
      if (name != "__metadata__") state.tensors.push_back(tensor_of(name, json));
    }
  } catch (const JsonError& error) {
    throw ModelFileError(error.what());
  } catch (const SpecError& error) {
    throw ModelFileError(error.what());
  }
  // JSON keeps no order; the bytes' order is that of the tensors as they were stored.
  std::stable_sort(state.tensors.begin(), state.tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return a.offset != b.offset ? a.offset < b.offset : element_count(a) < element_count(b);
  });
  check_cover(state.tensors, data.size());
  state.read_storages = [data](const std::set<std::string>& names, const StorageVisit& visit) {
    for (const std::string& name : names) visit(name, data);
  };
  return state;
}

}  // namespace bnlab::model_files
