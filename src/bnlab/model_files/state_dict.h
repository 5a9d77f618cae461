// A model's tensors by name, whatever file they are in; read from it only where they are asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "bnlab/doctor/facts.h"
#include "bnlab/model_files/elements.h"

namespace bnlab::model_files {

/// Where a tensor lies: in a storage, with strides. Numbers are little-endian.
struct StoredTensor {
  std::string name;
  Element element;
  std::vector<std::int64_t> shape, strides;  ///< strides in elements; of the same length
  std::string storage;
  std::uint64_t offset = 0;  ///< of the first element in the storage, in bytes
};

/// What a file says of a layer beside its tensors.
struct LayerSettings {
  std::string kind;  ///< e.g. "BatchNorm2d"; empty: not known
  std::optional<double> eps;
  bool momentum_known = false;
  std::optional<double> momentum;  ///< none: the mean over all batches
  std::optional<bool> training;
};

/// Storages of a file: calls visit(name, bytes) once for each of `names`, in any order. Throws ModelFileError.
using StorageVisit = std::function<void(const std::string& name, std::string_view bytes)>;
using ReadStorages = std::function<void(const std::set<std::string>& names, const StorageVisit& visit)>;

struct StateDict {
  std::vector<StoredTensor> tensors;              ///< in the order of the file; names are unique
  std::map<std::string, LayerSettings> settings;  ///< by the layer's name
  std::optional<bool> training;                   ///< the mode of the whole, where a file says it
  ReadStorages read_storages;
  std::vector<std::string> remarks;  ///< sentences for Facts::remarks
};

/// The strides of a tensor that is stored row by row.
std::vector<std::int64_t> row_major_strides(const std::vector<std::int64_t>& shape);

/// The number of elements. Throws ModelFileError if a length is negative, or the product beyond 2^62.
std::uint64_t element_count(const StoredTensor& tensor);

/// Bytes of the storage up to the end of the tensor's last element; 0 if it is empty. Throws ModelFileError if a length
/// or stride is negative or the number is beyond 2^62.
std::uint64_t end_in_storage(const StoredTensor& tensor);

/// Calls visit(bytes of one element) for each element in row-major order. Throws ModelFileError if the tensor reaches
/// beyond its storage.
void visit_elements(const StoredTensor& tensor, std::string_view storage,
                    const std::function<void(const char*)>& visit);

/// The values of these tensors, each in row-major order; kOther has none. Throws ModelFileError.
std::map<std::string, doctor::Numbers> read_values(const StateDict& state,
                                                   const std::vector<const StoredTensor*>& tensors);

/// A layer is a prefix with running_mean and running_var, in the order of the file. What a state dict does not hold is
/// in not_collected. Throws ModelFileError: no such layer, or lengths that do not agree.
doctor::Facts facts_of_state(const StateDict& state, const std::string& name);

}  // namespace bnlab::model_files
