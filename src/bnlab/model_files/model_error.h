// What can be wrong with a file that should hold a model.
#pragma once

#include <stdexcept>
#include <string>

namespace bnlab::model_files {

/// A file that cannot be read, or whose content cannot be told for sure. what() is one sentence without the file's
/// name; it says what to do next where there is something to do.
class ModelFileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace bnlab::model_files
