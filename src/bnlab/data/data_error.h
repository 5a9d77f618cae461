#pragma once

#include <stdexcept>

namespace bnlab {

/// A data set cannot be used. what() is one sentence: which file, what was expected, what was found, what to do.
class DataError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace bnlab
