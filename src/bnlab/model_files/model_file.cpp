#include "bnlab/model_files/model_file.h"

namespace bnlab::model_files {

doctor::Facts read_model_file(const std::filesystem::path& path, const ReadChoice& choice) {
  const MappedFile file(path);
  return read_model_bytes(file.bytes(), path.filename().string(), choice);
}

doctor::Facts read_model_bytes(std::string_view bytes, const std::string& name, const ReadChoice& choice) {
  const ModelBytes file = model_bytes(bytes, name);
  return reader_of(file).read(file, choice);
}

}  // namespace bnlab::model_files
