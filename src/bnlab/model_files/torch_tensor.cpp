#include "bnlab/model_files/torch_tensor.h"

#include <fmt/format.h>

#include "bnlab/model_files/model_error.h"

namespace bnlab::model_files {
namespace {

/// torch.storage._dtype_to_storage_type_map(), and UntypedStorage, which is bytes.
const std::map<std::string, Element> kElementOfStorage = {
    {"DoubleStorage", {ElementType::kFloat64, 8, "float64"}},
    {"FloatStorage", {ElementType::kFloat32, 4, "float32"}},
    {"HalfStorage", {ElementType::kFloat16, 2, "float16"}},
    {"BFloat16Storage", {ElementType::kBfloat16, 2, "bfloat16"}},
    {"LongStorage", {ElementType::kInt64, 8, "int64"}},
    {"IntStorage", {ElementType::kInt32, 4, "int32"}},
    {"ShortStorage", {ElementType::kInt16, 2, "int16"}},
    {"CharStorage", {ElementType::kInt8, 1, "int8"}},
    {"ByteStorage", {ElementType::kUint8, 1, "uint8"}},
    {"UntypedStorage", {ElementType::kUint8, 1, "uint8"}},
    {"BoolStorage", {ElementType::kBool, 1, "bool"}},
    {"ComplexDoubleStorage", {ElementType::kOther, 16, "complex128"}},
    {"ComplexFloatStorage", {ElementType::kOther, 8, "complex64"}},
    {"QInt8Storage", {ElementType::kOther, 1, "qint8"}},
    {"QInt32Storage", {ElementType::kOther, 4, "qint32"}},
    {"QUInt8Storage", {ElementType::kOther, 1, "quint8"}},
    {"QUInt4x2Storage", {ElementType::kOther, 1, "quint4x2"}},
    {"QUInt2x4Storage", {ElementType::kOther, 1, "quint2x4"}},
};

/// Types that a tensor names itself, since no storage has them (torch._utils._rebuild_tensor_v3).
const std::map<std::string, std::size_t> kBytesOfType = {
    {"torch.float8_e5m2", 1},    {"torch.float8_e4m3fn", 1}, {"torch.float8_e5m2fnuz", 1}, {"torch.float8_e4m3fnuz", 1},
    {"torch.float8_e8m0fnu", 1}, {"torch.uint16", 2},        {"torch.uint32", 4},          {"torch.uint64", 8},
};

std::vector<std::int64_t> numbers_of(const Pickle& pickle, Ref tuple, const std::string& name) {
  std::vector<std::int64_t> numbers;
  constexpr std::size_t kMostAxes = 64;  // PyTorch's own bound
  if (pickle.at(tuple).items.size() > kMostAxes) {
    throw ModelFileError(fmt::format("{} has more than {} axes", name, kMostAxes));
  }
  for (const Ref each : pickle.at(tuple).items) {
    if (pickle.at(each).kind != PickleValue::Kind::kInt) {
      throw ModelFileError(fmt::format("the shape or the strides of {} are no numbers", name));
    }
    numbers.push_back(pickle.at(each).integer);
  }
  return numbers;
}

Element element_of(const Pickle& pickle, const PickleValue& tensor, const std::string& name) {
  const std::string type = pickle.at(pickle.at(tensor.items[0]).items[0]).text;
  std::optional<Element> element = element_of_storage(type);
  if (tensor.items.size() > 3) {
    const auto own = kBytesOfType.find(pickle.at(tensor.items[3]).text);
    element.reset();
    if (own != kBytesOfType.end()) element = Element{ElementType::kOther, own->second, own->first.substr(6)};
  }
  if (!element) throw ModelFileError(fmt::format("{} has a type that is not known ({})", name, type));
  if (!tensor.is_plain) *element = {ElementType::kOther, element->bytes, element->name + ", negated or conjugated"};
  return *element;
}

}  // namespace

std::optional<Element> element_of_storage(const std::string& type) {
  const auto found = kElementOfStorage.find(type.substr(type.rfind('.') + 1));
  if (type.rfind("torch.", 0) != 0 || found == kElementOfStorage.end()) return {};
  return found->second;
}

StoredTensor torch_tensor(const Pickle& pickle, Ref ref, const std::string& name) {
  const PickleValue& tensor = pickle.at(ref);
  StoredTensor stored;
  stored.name = name;
  stored.element = element_of(pickle, tensor, name);
  stored.storage = pickle.at(tensor.items[0]).text;
  stored.shape = numbers_of(pickle, tensor.items[1], name);
  stored.strides = numbers_of(pickle, tensor.items[2], name);
  std::uint64_t offset = 0;
  if (tensor.integer < 0 ||
      __builtin_mul_overflow(static_cast<std::uint64_t>(tensor.integer), stored.element.bytes, &offset)) {
    throw ModelFileError(fmt::format("the offset of {} is impossible", name));
  }
  stored.offset = offset;
  return stored;
}

}  // namespace bnlab::model_files
