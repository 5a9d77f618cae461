// What `bnlab data list` and `bnlab data check` print, as plain data.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "bnlab/data/load.h"

namespace bnlab {

struct DatasetListing {
  std::string name, title;
  std::vector<std::filesystem::path> looked_in;  ///< in this order; empty for a set without files
  std::filesystem::path found;                   ///< the first of them that holds any of the set's files; or empty
  std::string trouble;  ///< of the first place that is there but of no use, see trouble_in(); or empty
  std::string hint;     ///< how to get the files
};

/// All known sets, in the order of the list. Reads no file.
std::vector<DatasetListing> list_datasets();

enum class FileState {
  kFound,    ///< usable, and the published content
  kDiffers,  ///< usable, but not the published content
  kMissing,
  kBad,  ///< there, but not usable
};

/// "found", "differs", "missing" or "bad".
const char* to_string(FileState state);

/// Hashes are hexadecimal; an expected one is empty where none is published, a found one where nothing could be hashed.
struct FileCheck {
  std::string name;  ///< as published
  std::filesystem::path path;
  FileState state = FileState::kMissing;
  int64_t bytes = 0;  ///< of the file, or of the member of an archive
  std::string md5, expected_md5;
  std::string content_hash, expected_content_hash;  ///< of the decompressed content
  std::string content_hash_kind;                    ///< "sha256" or "sha1"; empty where the content is not hashed
  std::string message;                              ///< one sentence
};

struct DatasetCheck {
  std::string name, title;                ///< the title as load_dataset gives it, if the set is usable
  std::filesystem::path place;            ///< the folder or archive that was checked; empty if none was found
  FileState state = FileState::kMissing;  ///< the worst of the files; kBad also if they do not fit together
  std::vector<FileCheck> files;           ///< the archive, if there is one, and the published files
  std::string digest;                     ///< as in Dataset, if the set is usable
  std::string message;                    ///< one sentence
};

/// Reads every file of the set and compares it with what is published.
/// Bad files are reported in the result; DataError only for an unknown name.
DatasetCheck check_dataset(const DataChoice& choice);

}  // namespace bnlab
