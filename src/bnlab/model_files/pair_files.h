// Two models' files side by side.
#pragma once

#include <filesystem>

#include "bnlab/doctor/pair.h"
#include "bnlab/model_files/model_file.h"

namespace bnlab::model_files {

/// choice: for both files. Throws ModelFileError, whose text begins with the file that is meant: unreadable, or layers
/// that cannot be matched by name, nor by order and channels.
doctor::PairFacts read_pair(const std::filesystem::path& before, const std::filesystem::path& after,
                            const ReadChoice& choice = {});

}  // namespace bnlab::model_files
