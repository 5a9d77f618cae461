// A benchmark as text for a terminal.
#pragma once

#include <string>
#include <vector>

#include "bnlab/bench/comparison.h"
#include "bnlab/bench/results.h"

namespace bnlab::bench {

/// For each fusion a table with a line for each shape and layout, then the geometric means. At most 120 columns wide
/// with the shared shapes.
[[nodiscard]] std::string table(const Results& results, const std::vector<Comparison>& comparisons);

}  // namespace bnlab::bench
