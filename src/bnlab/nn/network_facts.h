// What can be known of a network without training it.
#pragma once

#include <cstdint>

namespace bnlab {

struct NetworkFacts {
  int64_t parameters = 0;   ///< number of them
  int64_t layers = 0;       ///< Network::layers()
  int64_t macs = 0;         ///< multiply-accumulates of an example
  bool sequential = false;  ///< a SequentialNetwork
};

}  // namespace bnlab
