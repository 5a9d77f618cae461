#include "bnlab/model_files/model_file.h"

#include <fmt/format.h>

#include "bnlab/record/json_fields.h"

namespace bnlab::model_files {

doctor::Facts read_model_file(const std::filesystem::path& path, const ReadChoice& choice) {
  const MappedFile file(path);
  return read_model_bytes(file.bytes(), path.filename().string(), choice);
}

doctor::Facts read_model_bytes(std::string_view bytes, const std::string& name, const ReadChoice& choice) {
  const ModelBytes file = model_bytes(bytes, name);
  std::vector<std::string> formats;
  for (const FileReader& reader : reader_list()) {
    if (reader.claims(file)) return reader.read(file, choice);
    formats.push_back(reader.format);
  }
  throw ModelFileError(fmt::format("is none of the formats that are read: {}", join_or(formats)));
}

}  // namespace bnlab::model_files
