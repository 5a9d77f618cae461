#include "bnlab/model_files/tensor_digests.h"

#include <functional>

namespace bnlab::model_files {
namespace {

/// Row by row, as it is in memory.
bool is_row_major(const StoredTensor& tensor) {
  const auto strides = row_major_strides(tensor.shape);
  for (std::size_t axis = 0; axis < strides.size(); ++axis) {
    if (tensor.shape[axis] != 1 && tensor.strides[axis] != strides[axis]) return false;
  }
  return true;
}

std::uint64_t digest_of(const StoredTensor& tensor, std::string_view storage) {
  const std::hash<std::string_view> hash;
  if (element_count(tensor) == 0) return 0;
  if (is_row_major(tensor) && end_in_storage(tensor) <= storage.size()) {
    return hash(storage.substr(tensor.offset, element_count(tensor) * tensor.element.bytes));
  }
  std::string bytes;
  visit_elements(tensor, storage, [&](const char* at) { bytes.append(at, tensor.element.bytes); });
  return hash(bytes);
}

}  // namespace

std::map<std::string, std::uint64_t> tensor_digests(const StateDict& state) {
  std::map<std::string, std::vector<const StoredTensor*>> by_storage;
  std::set<std::string> names;
  for (const StoredTensor& tensor : state.tensors) {
    by_storage[tensor.storage].push_back(&tensor);
    names.insert(tensor.storage);
  }
  std::map<std::string, std::uint64_t> digests;
  state.read_storages(names, [&](const std::string& name, std::string_view bytes) {
    for (const StoredTensor* tensor : by_storage[name]) digests[tensor->name] = digest_of(*tensor, bytes);
  });
  return digests;
}

}  // namespace bnlab::model_files
