// Batches that are measured in no time.
#pragma once

namespace bnlab::bench {

inline constexpr char kTinyShapes[] = "images 5 19 3 3\nmatrix 6 7 1 1\n";

}  // namespace bnlab::bench
