// Why files that are there are of no use: what must not be reported as absent.
#pragma once

#include <filesystem>
#include <string>

#include "bnlab/data/dataset_list.h"

namespace bnlab {

/// Why nothing can be said about that name, or why it leads nowhere although it is there: "cannot be read: Permission
/// denied", "is a link to something that does not exist"; empty for what is there and for what simply is not.
std::string trouble_with(const std::filesystem::path& path);

/// Why a place that is there is of no use: "PATH cannot be read: Permission denied", a file where a folder is expected,
/// a link that leads nowhere; of the place itself or of the first of the set's files in it. Empty if nothing is there.
std::string trouble_in(const KnownDataset& known, const std::filesystem::path& place);

}  // namespace bnlab
