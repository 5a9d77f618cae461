// Made-up models' files in memory: safetensors, ZIP archives, and pickles opcode by opcode, to be spoiled.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "bnlab/model_files/model_file.h"

namespace bnlab::model_files {

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

inline std::string little_endian(std::uint64_t value, std::size_t bytes) {
  return bytes_of<std::uint64_t>({value}).substr(0, bytes);
}

inline std::string safetensors(const std::string& header, const std::string& data) {
  return little_endian(header.size(), 8) + header + data;
}

/// running_mean (1, -2), running_var (4, 9), weight (0.5, 1.5) and bias (0, 1) of the layer "bn".
inline std::string one_layer_safetensors() {
  return safetensors(R"({"bn.weight":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                     R"("bn.bias":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},)"
                     R"("bn.running_mean":{"dtype":"F32","shape":[2],"data_offsets":[16,24]},)"
                     R"("bn.running_var":{"dtype":"F32","shape":[2],"data_offsets":[24,32]}})",
                     bytes_of<float>({0.5F, 1.5F, 0, 1, 1, -2, 4, 9}));
}

/// A ZIP archive of these entries, stored or deflated.
inline std::string zip_of(const std::vector<std::pair<std::string, std::string>>& entries, bool deflated = false) {
  std::string bytes(1 << 20, '\0');
  std::size_t used = 0;
  archive* writer = archive_write_new();
  archive_write_set_format_zip(writer);
  if (deflated) {
    archive_write_zip_set_compression_deflate(writer);
  } else {
    archive_write_zip_set_compression_store(writer);
  }
  archive_write_open_memory(writer, bytes.data(), bytes.size(), &used);
  for (const auto& [name, content] : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_write_header(writer, entry);
    archive_write_data(writer, content.data(), content.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  return bytes.substr(0, used);
}

/// Parts of a pickle of protocol 2.
namespace pickled {

inline std::string text(const std::string& value) {
  return "X" + little_endian(value.size(), 4) + value;
}
inline std::string integer(std::int32_t value) {
  return "J" + little_endian(static_cast<std::uint32_t>(value), 4);
}
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(const std::string& items) {
  return "(" + items + "t";
}
inline std::string call(const std::string& function, const std::string& arguments) {
  return function + tuple(arguments) + "R";
}
inline std::string storage(const std::string& type, const std::string& key, int count) {
  return tuple(text("storage") + global("torch", type) + text(key) + text("cpu") + integer(count)) + "Q";
}
/// A tensor of one axis.
inline std::string tensor(const std::string& type, const std::string& key, int count, int offset = 0, int stride = 1) {
  const std::string hooks = call(global("collections", "OrderedDict"), "");
  return call(
      global("torch._utils", "_rebuild_tensor_v2"),
      storage(type, key, count) + integer(offset) + tuple(integer(count)) + tuple(integer(stride)) + "\x89" + hooks);
}
/// items: keys and values, one after the other.
inline std::string dict(const std::string& items) {
  return "}(" + items + "u";
}
inline std::string whole(const std::string& value) {
  return "\x80\x02" + value + ".";
}
/// The layer of one_layer_safetensors(), its storages called 0 to 3, with `prefix` before "bn.".
inline std::string one_layer(const std::string& prefix = "") {
  std::string items;
  const char* const names[] = {"weight", "bias", "running_mean", "running_var"};
  for (int i = 0; i < 4; ++i) {
    items += text(prefix + "bn." + names[i]) + tensor("FloatStorage", std::to_string(i), 2);
  }
  return dict(items);
}

}  // namespace pickled

/// A file of torch.save with the four storages of pickled::one_layer().
inline std::string torch_zip(const std::string& value, bool deflated = false,
                             const std::string& byte_order = "little") {
  return zip_of({{"archive/data.pkl", pickled::whole(value)},
                 {"archive/byteorder", byte_order},
                 {"archive/data/0", bytes_of<float>({0.5F, 1.5F})},
                 {"archive/data/1", bytes_of<float>({0, 1})},
                 {"archive/data/2", bytes_of<float>({1, -2})},
                 {"archive/data/3", bytes_of<float>({4, 9})},
                 {"archive/version", "3\n"}},
                deflated);
}

/// The sentence that reading ends with; "" if it works.
inline std::string error_of(const std::string& bytes, const std::string& key = "") {
  try {
    read_model_bytes(bytes, "model", {key});
  } catch (const ModelFileError& error) {
    return error.what();
  }
  return "";
}

}  // namespace bnlab::model_files
