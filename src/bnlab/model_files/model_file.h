// A model's file to facts for the doctor: told by its content, whatever its name.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "bnlab/doctor/facts.h"
#include "bnlab/model_files/model_error.h"
#include "bnlab/model_files/reader_list.h"

namespace bnlab::model_files {

/// Throws ModelFileError.
doctor::Facts read_model_file(const std::filesystem::path& path, const ReadChoice& choice = {});

/// The same of bytes in memory. name: what messages and Facts::model call it.
doctor::Facts read_model_bytes(std::string_view bytes, const std::string& name, const ReadChoice& choice = {});

}  // namespace bnlab::model_files
