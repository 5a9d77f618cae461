#include "bnlab/model_files/state_dict.h"

#include <fmt/format.h>

#include <algorithm>

#include "bnlab/model_files/model_error.h"

namespace bnlab::model_files {
namespace {

constexpr std::uint64_t kMost = std::uint64_t{1} << 62;

[[noreturn]] void throw_sizes(const StoredTensor& tensor) {
  throw ModelFileError(
      fmt::format("the shape, strides or offset of {} are impossible; save the file again", tensor.name));
}

std::uint64_t checked(bool overflow, std::uint64_t value, const StoredTensor& tensor) {
  if (overflow || value > kMost) throw_sizes(tensor);
  return value;
}

std::uint64_t product(std::uint64_t a, std::uint64_t b, const StoredTensor& tensor) {
  std::uint64_t value = 0;
  const bool overflow = __builtin_mul_overflow(a, b, &value);
  return checked(overflow, value, tensor);
}

std::uint64_t sum(std::uint64_t a, std::uint64_t b, const StoredTensor& tensor) {
  std::uint64_t value = 0;
  const bool overflow = __builtin_add_overflow(a, b, &value);
  return checked(overflow, value, tensor);
}

}  // namespace

std::vector<std::int64_t> row_major_strides(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) {
    // Wraps where the product is too large for any file; element_count() refuses such shapes.
    strides[i - 1] = static_cast<std::int64_t>(static_cast<std::uint64_t>(strides[i]) *
                                               static_cast<std::uint64_t>(std::max<std::int64_t>(shape[i], 1)));
  }
  return strides;
}

std::uint64_t element_count(const StoredTensor& tensor) {
  std::uint64_t count = 1;
  for (const std::int64_t length : tensor.shape) {
    if (length < 0) throw_sizes(tensor);
    count = product(count, static_cast<std::uint64_t>(length), tensor);
  }
  return count;
}

std::uint64_t end_in_storage(const StoredTensor& tensor) {
  if (tensor.strides.size() != tensor.shape.size() || tensor.element.bytes == 0) throw_sizes(tensor);
  if (element_count(tensor) == 0) return 0;
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    if (tensor.strides[i] < 0) throw_sizes(tensor);
    const auto steps = static_cast<std::uint64_t>(tensor.shape[i]) - 1;
    last = sum(last, product(steps, static_cast<std::uint64_t>(tensor.strides[i]), tensor), tensor);
  }
  return sum(tensor.offset, product(last + 1, tensor.element.bytes, tensor), tensor);
}

void visit_elements(const StoredTensor& tensor, std::string_view storage,
                    const std::function<void(const char*)>& visit) {
  if (end_in_storage(tensor) > storage.size()) {
    throw ModelFileError(fmt::format(
        "{} reaches beyond the end of what is stored of it; the file is damaged, save it again", tensor.name));
  }
  const std::uint64_t count = element_count(tensor);
  if (count == 0) return;
  std::vector<std::int64_t> index(tensor.shape.size(), 0);
  const char* at = storage.data() + tensor.offset;
  const auto bytes = static_cast<std::int64_t>(tensor.element.bytes);
  for (std::uint64_t i = 0; i < count; ++i) {
    visit(at);
    for (std::size_t axis = index.size(); axis-- > 0;) {
      at += tensor.strides[axis] * bytes;
      if (++index[axis] < tensor.shape[axis]) break;
      at -= tensor.shape[axis] * tensor.strides[axis] * bytes;
      index[axis] = 0;
    }
  }
}

std::map<std::string, doctor::Numbers> read_values(const StateDict& state,
                                                   const std::vector<const StoredTensor*>& tensors) {
  std::map<std::string, std::vector<const StoredTensor*>> by_storage;
  std::set<std::string> names;
  for (const StoredTensor* tensor : tensors) {
    if (tensor->element.type == ElementType::kOther) {
      throw ModelFileError(fmt::format("{} is stored as {}, whose values are not read; store it as float32",
                                       tensor->name, tensor->element.name));
    }
    by_storage[tensor->storage].push_back(tensor);
    names.insert(tensor->storage);
  }
  std::map<std::string, doctor::Numbers> values;
  state.read_storages(names, [&](const std::string& name, std::string_view bytes) {
    for (const StoredTensor* tensor : by_storage[name]) {
      doctor::Numbers& numbers = values[tensor->name];
      visit_elements(*tensor, bytes, [&](const char* at) { numbers.push_back(number_at(at, tensor->element)); });
    }
  });
  return values;
}

}  // namespace bnlab::model_files
