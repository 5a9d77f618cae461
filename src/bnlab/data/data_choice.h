// The value of `--data`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace bnlab {

/// The value of `--data`.
struct DataChoice {
  std::string name;                 ///< of a known data set
  std::filesystem::path path = {};  ///< folder or archive; empty: look where the set usually is
  int64_t draw = 0;                 ///< of a synthetic set: which draw of everything in it that is random
};

/// Parses "NAME" or "NAME:PATH"; "~/" at the start of the path is the home folder.
/// DataError: an unknown name (the message lists the known ones), an empty path, a path for a set that has no files.
DataChoice parse_data_choice(std::string_view text);

/// "~/" at its start is the home folder.
std::filesystem::path expand_home(std::string_view path);

}  // namespace bnlab
