#include "bnlab/data/trouble.h"

#include <system_error>
#include <vector>

namespace bnlab {
namespace fs = std::filesystem;
namespace {

/// The place and everything in it that find_place would take for a file of the set.
std::vector<fs::path> possible_paths(const KnownDataset& known, const fs::path& place) {
  std::vector<fs::path> folders = {place}, paths = {place};
  if (known.format == DataFormat::kCifar) folders.push_back(place / "cifar-10-batches-bin");
  for (const auto& folder : folders) {
    for (const auto& file : known.files) {
      paths.push_back(folder / file.name);
      if (known.format == DataFormat::kIdx) paths.push_back((folder / file.name).replace_extension());
    }
  }
  if (known.format == DataFormat::kCifar) paths.push_back(place / known.archive.name);
  return paths;
}

}  // namespace

std::string trouble_with(const fs::path& path) {
  std::error_code error, ignored;
  const auto status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    return fs::is_symlink(fs::symlink_status(path, ignored)) ? "is a link to something that does not exist" : "";
  }
  return error ? "cannot be read: " + error.message() : "";
}

std::string trouble_in(const KnownDataset& known, const fs::path& place) {
  std::error_code ignored;
  if (known.format == DataFormat::kIdx && fs::exists(place, ignored) && !fs::is_directory(place, ignored)) {
    return place.string() + " is a file, not a folder";
  }
  for (const auto& path : possible_paths(known, place)) {
    if (const std::string trouble = trouble_with(path); !trouble.empty()) {
      return path.string() + " " + trouble;
    }
  }
  return "";
}

}  // namespace bnlab
