// A model's file in memory, as readers get it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bnlab/model_files/zip_file.h"

namespace bnlab::model_files {

/// A view of a file's bytes, with its directory if it is a ZIP archive.
struct ModelBytes {
  std::string name;  ///< for messages and Facts::model; no path
  std::string_view bytes;
  std::optional<ZipFile> zip;
};

/// Throws ModelFileError if the bytes begin as a ZIP archive and are none.
ModelBytes model_bytes(std::string_view bytes, std::string name);

/// A file's bytes, mapped as long as this exists.
class MappedFile {
 public:
  /// Throws ModelFileError: missing, a folder, unreadable, empty.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace bnlab::model_files
