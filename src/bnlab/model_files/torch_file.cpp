#include "bnlab/model_files/torch_file.h"

#include <fmt/format.h>

#include <cstring>

#include "bnlab/model_files/model_error.h"
#include "bnlab/model_files/torch_state.h"
#include "bnlab/model_files/torch_tensor.h"

namespace bnlab::model_files {
namespace {

constexpr std::uint64_t kMostPickle = std::uint64_t{1} << 28, kMostStorage = std::uint64_t{1} << 32;

/// 0x1950a86a20f9469cfc6c, little-endian, as the first pickle of torch's old format holds it.
constexpr std::string_view kLegacyMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr std::size_t kMagicWithin = 32;

/// "archive/" of "archive/data.pkl".
std::string folder_of(const std::string& name) {
  return name.substr(0, name.size() - std::string_view("data.pkl").size());
}

void check_byte_order(const ZipFile& zip, const std::string& folder) {
  const std::string name = folder + "byteorder";
  if (zip.find(name) == nullptr) return;
  const std::string order = zip.read(name, 100);
  if (order != "little") {
    throw ModelFileError(
        fmt::format("is stored in {}-endian order; load it and torch.save() it on a machine of today's kind", order));
  }
}

void add_storage_types(const Pickle& pickle, std::map<std::string, std::size_t>& bytes) {
  for (const PickleValue& value : pickle.values) {
    if (value.kind != PickleValue::Kind::kStorage) continue;
    const auto element = element_of_storage(pickle.at(value.items.front()).text);
    if (!element) throw ModelFileError("holds a storage of a type that is not known; save it again with torch.save");
    bytes[value.text] = element->bytes;
  }
}

/// The tensors' bytes, behind the pickles: for each key its number of elements (8 bytes), then they.
std::map<std::string, std::string_view> legacy_storages(std::string_view bytes, const Pickle& object,
                                                        const Pickle& keys) {
  std::map<std::string, std::size_t> element_bytes;
  add_storage_types(object, element_bytes);
  std::map<std::string, std::string_view> storages;
  const auto cut_off = [] { return ModelFileError("the tensors at its end are cut off; copy the file again"); };
  for (const Ref ref : keys.at(keys.root).items) {
    const std::string& key = keys.at(ref).text;
    const auto element = element_bytes.find(key);
    std::uint64_t count = 0, size = 0;
    if (element == element_bytes.end() || bytes.size() < sizeof count) throw cut_off();
    std::memcpy(&count, bytes.data(), sizeof count);
    bytes.remove_prefix(sizeof count);
    if (__builtin_mul_overflow(count, element->second, &size) || size > bytes.size()) throw cut_off();
    storages[key] = bytes.substr(0, size);
    bytes.remove_prefix(size);
  }
  return storages;
}

}  // namespace

bool claims_torch_zip(const ModelBytes& file) {
  return file.zip && file.zip->find_in_top_folder("data.pkl") != nullptr &&
         file.zip->find_in_top_folder("constants.pkl") == nullptr;
}

bool claims_torch_legacy(const ModelBytes& file) {
  return file.bytes.substr(0, kMagicWithin).find(kLegacyMagic) != std::string_view::npos;
}

StateDict torch_zip_state(const ModelBytes& file, const std::string& key) {
  const std::string pickle_name = file.zip->find_in_top_folder("data.pkl")->name;
  const std::string folder = folder_of(pickle_name);
  check_byte_order(*file.zip, folder);
  const Pickle pickle = read_pickle(file.zip->read(pickle_name, kMostPickle));
  StateDict state = choose_state(find_states(pickle), key, pickle).state;
  state.read_storages = [zip = *file.zip, folder](const std::set<std::string>& names, const StorageVisit& visit) {
    const std::size_t before = folder.size() + std::string_view("data/").size();
    std::set<std::string> entries;
    for (const std::string& name : names) entries.insert(folder + "data/" + name);
    zip.read_each(entries, kMostStorage,
                  [&](const std::string& entry, const std::string& content) { visit(entry.substr(before), content); });
  };
  return state;
}

StateDict torch_legacy_state(const ModelBytes& file, const std::string& key) {
  std::string_view bytes = file.bytes;
  const auto next = [&] {
    Pickle pickle = read_pickle(bytes);
    bytes.remove_prefix(pickle.bytes_read);
    return pickle;
  };
  next();  // the magic number
  next();  // the protocol's version
  next();  // sizes of the writer's C types; storages are little-endian whatever the machine was
  const Pickle object = next();
  const Pickle keys = next();
  const auto storages = legacy_storages(bytes, object, keys);
  StateDict state = choose_state(find_states(object), key, object).state;
  state.read_storages = [storages](const std::set<std::string>& names, const StorageVisit& visit) {
    for (const std::string& name : names) {
      const auto found = storages.find(name);
      if (found == storages.end()) throw ModelFileError(fmt::format("the storage {} is missing; save it again", name));
      visit(name, found->second);
    }
  };
  return state;
}

}  // namespace bnlab::model_files
