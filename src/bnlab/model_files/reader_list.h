// The formats that are read, one file each. To add one: its file here, one line in reader_list.cpp, a test.
#pragma once

#include <span>
#include <string>

#include "bnlab/doctor/facts.h"
#include "bnlab/model_files/model_bytes.h"
#include "bnlab/model_files/state_dict.h"

namespace bnlab::model_files {

/// What the person who asks has chosen.
struct ReadChoice {
  std::string key;  ///< of a checkpoint that holds several state dicts, e.g. "ema"; empty: the largest
};

struct FileReader {
  const char* format;                      ///< for messages, e.g. "safetensors"
  bool (*claims)(const ModelBytes& file);  ///< by content alone; throws nothing
  /// Facts::model is the file's name; what the format does not hold is absent and named in Facts::not_collected.
  /// Throws ModelFileError.
  doctor::Facts (*read)(const ModelBytes& file, const ReadChoice& choice);
  /// All tensors, for comparisons; nullptr if the format is no state dict. Throws ModelFileError.
  StateDict (*state)(const ModelBytes& file, const ReadChoice& choice);
};

/// In the order in which they are asked: the first that claims a file reads it.
std::span<const FileReader> reader_list();

/// The first that claims the file. Throws ModelFileError if none does.
const FileReader& reader_of(const ModelBytes& file);

}  // namespace bnlab::model_files
