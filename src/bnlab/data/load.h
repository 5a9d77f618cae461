// From a choice of data to a data set in memory.
#pragma once
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "bnlab/data/data_choice.h"
#include "bnlab/data/dataset.h"
#include "bnlab/data/dataset_list.h"

namespace bnlab {

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
