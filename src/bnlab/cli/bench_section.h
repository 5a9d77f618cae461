// The report's section about a benchmark that was stored in the same folder.
#pragma once

#include "bnlab/cli/common.h"

namespace bnlab {

/// Adds what `bnlab bench --out OUT` left in OUT/bench.json to the report, if it is there. A file that cannot be used
/// is left out with a note on standard error: it must not cost anybody the rest of the report.
void add_bench_section(const OutFolder& out, Json& report);

}  // namespace bnlab
