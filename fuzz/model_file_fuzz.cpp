// Models' files from random bytes: each is read, or refused with a sentence. Anything else, a crash, an endless loop or
// memory out of bounds, is found here. The first byte says how the rest is wrapped, so that a pickle need not be a ZIP
// archive with a checksum to be reached.
#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bnlab/doctor/diagnosis.h"
#include "bnlab/doctor/views.h"
#include "bnlab/model_files/model_file.h"

namespace {

using Entries = std::vector<std::pair<std::string, std::string_view>>;

std::string stored_archive(const Entries& entries) {
  std::size_t room = 4096, used = 0;
  for (const auto& [name, content] : entries) room += content.size() + 1024;
  std::string bytes(room, '\0');
  archive* writer = archive_write_new();
  archive_write_set_format_zip(writer);
  archive_write_zip_set_compression_store(writer);
  archive_write_open_memory(writer, bytes.data(), bytes.size(), &used);
  for (const auto& [name, content] : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_write_header(writer, entry);
    archive_write_data(writer, content.data(), content.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  return bytes.substr(0, used);
}

/// An archive of torch.save with this pickle and one storage.
std::string torch_archive(std::string_view pickle) {
  const std::string storage(64, '\x3f');
  return stored_archive({{"a/data.pkl", pickle}, {"a/data/0", storage}});
}

/// An archive of torch.export: the graph, and behind the first zero byte where its tensors are.
std::string export_archive(std::string_view bytes) {
  const std::string weights(64, '\x3f');
  const std::size_t end = std::min(bytes.find('\0'), bytes.size());
  return stored_archive({{"a/archive_format", "pt2"},
                         {"a/models/m.json", bytes.substr(0, end)},
                         {"a/data/weights/m_weights_config.json", bytes.substr(std::min(end + 1, bytes.size()))},
                         {"a/data/weights/weight_0", weights}});
}

std::string safetensors_of(std::string_view bytes) {
  const std::size_t header = bytes.size() / 4 * 3;
  std::uint64_t length = header;
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file.append(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string file = data[0] % 4 == 0   ? torch_archive(bytes)
                           : data[0] % 4 == 1 ? safetensors_of(bytes)
                           : data[0] % 4 == 3 ? export_archive(bytes)
                                              : std::string(bytes);
  try {
    const auto facts = bnlab::model_files::read_model_bytes(file, "fuzz");
    const auto report = bnlab::doctor::report_json(facts, bnlab::doctor::diagnose(facts));
    if (bnlab::doctor::report_text(report).empty()) std::abort();
    bnlab::doctor::read_facts(bnlab::Json::parse(
        bnlab::doctor::facts_of_file_json(facts).dump(-1, ' ', false, bnlab::Json::error_handler_t::replace)));
  } catch (const bnlab::model_files::ModelFileError& error) {
    if (*error.what() == 0) std::abort();
  }
  return 0;
}
