// From the value of `--data` to a data set in memory.
#pragma once
#include <array>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "bnlab/data/dataset.h"
#include "bnlab/data/dataset_list.h"

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

/// Reads or makes the set and computes its digest. A set whose content is not the published one is loaded, and its
/// title says so. DataError: not found, or not usable.
Dataset load_dataset(const DataChoice& choice);

/// Where the set is looked for: the chosen path; else what the set's environment variable names; else the usual places.
std::vector<std::filesystem::path> places_of(const KnownDataset& known, const std::filesystem::path& chosen);

/// The first of those places that holds at least one of the set's files.
std::optional<std::filesystem::path> find_place(const KnownDataset& known, const std::filesystem::path& chosen);

/// One sentence for where find_place found nothing: what was looked for, where, and how to get it.
std::string not_found_message(const KnownDataset& known, const std::filesystem::path& chosen);

/// The path of a published IDX file in a folder: as published (NAME.gz) or, if only that exists, decompressed (NAME).
std::filesystem::path idx_file(const std::filesystem::path& folder, std::string_view published_name);

}  // namespace bnlab
