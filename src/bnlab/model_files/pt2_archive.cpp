#include "bnlab/model_files/pt2_archive.h"

#include <fmt/format.h>

#include "bnlab/model_files/exported_facts.h"
#include "bnlab/model_files/model_error.h"
#include "bnlab/record/parse_json.h"

namespace bnlab::model_files {
namespace {

constexpr const char* kFlatProgram = "serialized_exported_program.json";
constexpr const char* kFlatState = "serialized_state_dict.pt";
constexpr std::uint64_t kMostJson = std::uint64_t{1} << 28;

Json json_in(const ZipFile& zip, const std::string& name) {
  try {
    return parse_json(zip.read(name, kMostJson), name);
  } catch (const JsonError& error) {
    throw ModelFileError(fmt::format("is damaged: {}; export it again", error.what()));
  }
}

/// The state dict in an entry that torch.save() made.
void open_saved_state(const ModelBytes& file, const std::string& name, Pt2Model& model) {
  // torch.export stores without compression: an entry that is larger than the file is none of its.
  model.held = std::make_shared<InnerFile>();
  model.held->bytes = file.zip->read(name, file.bytes.size());
  model.held->file = model_bytes(model.held->bytes, name);
  const ModelBytes& inner = model.held->file;
  for (const FileReader& reader : reader_list()) {
    if (reader.state != nullptr && reader.claims(inner)) {
      model.state = reader.state(inner, {});
      return;
    }
  }
  throw ModelFileError(fmt::format("is damaged: {} is no state dict", name));
}

/// ScalarType of schema.py; no bytes for those whose values are not read.
Element element_of_scalar_type(std::int64_t type) {
  switch (type) {
    case 1:
      return {ElementType::kUint8, 1, "uint8"};
    case 2:
      return {ElementType::kInt8, 1, "int8"};
    case 3:
      return {ElementType::kInt16, 2, "int16"};
    case 4:
      return {ElementType::kInt32, 4, "int32"};
    case 5:
      return {ElementType::kInt64, 8, "int64"};
    case 6:
      return {ElementType::kFloat16, 2, "float16"};
    case 7:
      return {ElementType::kFloat32, 4, "float32"};
    case 8:
      return {ElementType::kFloat64, 8, "float64"};
    case 12:
      return {ElementType::kBool, 1, "bool"};
    case 13:
      return {ElementType::kBfloat16, 2, "bfloat16"};
  }
  return {};
}

std::vector<std::int64_t> sizes_of(const Json& sizes) {
  std::vector<std::int64_t> result;
  for (const Json& size : sizes) result.push_back(size.at("as_int").get<std::int64_t>());
  return result;
}

StoredTensor stored_tensor(const std::string& name, const Json& payload, const std::string& folder) {
  const Json& meta = payload.at("tensor_meta");
  StoredTensor tensor;
  tensor.name = name;
  tensor.element = element_of_scalar_type(meta.at("dtype").get<std::int64_t>());
  tensor.shape = sizes_of(meta.at("sizes"));
  tensor.strides = sizes_of(meta.at("strides"));
  if (tensor.shape.size() != tensor.strides.size()) throw ModelFileError("is damaged: strides do not fit a shape");
  tensor.storage = folder + payload.at("path_name").get<std::string>();
  const auto offset = meta.at("storage_offset").at("as_int").get<std::int64_t>();
  constexpr std::int64_t kMostOffset = std::int64_t{1} << 56;
  if (offset < 0 || offset > kMostOffset) throw ModelFileError("is damaged: an offset that there cannot be");
  tensor.offset = static_cast<std::uint64_t>(offset) * tensor.element.bytes;
  return tensor;
}

/// Tensors as raw bytes. Those that are pickled (of subclasses of Tensor) are left out, and missed if they are needed.
void open_raw_state(const ModelBytes& file, const std::string& config, const std::string& folder, Pt2Model& model) {
  const Json payloads = json_in(*file.zip, config);
  for (const auto& [name, payload] : payloads.at("config").items()) {
    if (payload.at("use_pickle").get<bool>() || payload.at("tensor_meta").is_null()) continue;
    StoredTensor tensor = stored_tensor(name, payload, folder);
    if (tensor.element.type != ElementType::kOther) model.state.tensors.push_back(std::move(tensor));
  }
  const ZipFile& zip = *file.zip;
  const std::uint64_t limit = file.bytes.size();
  model.state.read_storages = [&zip, limit](const std::set<std::string>& names, const StorageVisit& visit) {
    zip.read_each(names, limit, [&](const std::string& name, const std::string& content) { visit(name, content); });
  };
}

/// The folder that holds all, e.g. "model/"; empty if the archive is of the older layout.
std::string root_of(const ZipFile& zip) {
  const ZipEntry* entry = zip.find_in_top_folder("archive_format");
  return entry == nullptr ? "" : entry->name.substr(0, entry->name.size() - std::string("archive_format").size());
}

std::string chosen_model(const ZipFile& zip, const std::string& folder, const std::string& key) {
  std::vector<std::string> names;
  for (const ZipEntry& entry : zip.entries()) {
    const std::string name = without_ending(entry.name, ".json");
    if (!name.starts_with(folder)) continue;
    names.push_back(name.substr(folder.size()));
    if (names.back() == key) return key;
  }
  if (names.empty()) throw ModelFileError("holds no graph (models/NAME.json): only torch.export.save() stores one");
  if (names.size() == 1 && key.empty()) return names[0];
  throw ModelFileError(
      fmt::format("holds {} {}; choose one by --key", names.size() == 1 ? "the model" : "the models", join_or(names)));
}

Pt2Model open_archive(const ModelBytes& file, const ReadChoice& choice) {
  const ZipFile& zip = *file.zip;
  const std::string root = root_of(zip);
  const std::string name = chosen_model(zip, root + "models/", choice.key);
  const std::string folder = root + "data/weights/";
  Pt2Model model;
  model.program = json_in(zip, root + "models/" + name + ".json");
  if (zip.find(folder + name + ".pt") != nullptr) {
    open_saved_state(file, folder + name + ".pt", model);
  } else {
    open_raw_state(file, folder + name + "_weights_config.json", folder, model);
  }
  return model;
}

}  // namespace

bool is_pt2(const ModelBytes& file) {
  if (!file.zip) return false;
  if (file.zip->find(kFlatProgram) != nullptr) return true;
  const std::string root = root_of(*file.zip);
  if (root.empty()) return false;
  for (const ZipEntry& entry : file.zip->entries()) {
    if (entry.name.starts_with(root + "models/") || entry.name.starts_with(root + "data/aotinductor/")) return true;
  }
  return false;
}

Pt2Model open_pt2(const ModelBytes& file, const ReadChoice& choice) {
  try {
    if (file.zip->find(kFlatProgram) == nullptr) return open_archive(file, choice);
    if (!choice.key.empty()) throw ModelFileError("holds one exported program and no keys; leave --key out");
    Pt2Model model;
    model.program = json_in(*file.zip, kFlatProgram);
    open_saved_state(file, kFlatState, model);
    return model;
  } catch (const Json::exception& error) {
    throw ModelFileError(
        fmt::format("is damaged, or of a version of torch.export that is not known ({})", error.what()));
  }
}

}  // namespace bnlab::model_files
