// What the functions of Ranks throw.
#pragma once

#include <stdexcept>

namespace bnlab {

/// One sentence: which rank this is, what happened, and what to do.
class RanksError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace bnlab
