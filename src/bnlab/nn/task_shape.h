#pragma once

#include <cstdint>

namespace bnlab {

/// What goes into a network and comes out of it.
struct TaskShape {
  int64_t channels = 3;
  int64_t size = 32;     ///< height and width
  int64_t classes = 10;  ///< or outputs of a regression
};

}  // namespace bnlab
