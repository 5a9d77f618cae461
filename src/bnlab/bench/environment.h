// Where a benchmark ran: processor, caches, libraries, load.
#pragma once

#include "bnlab/bench/memory_limit.h"
#include "bnlab/bench/results.h"

namespace bnlab::bench {

/// Of processor 0, from /sys; 1 MiB and 32 MiB where the system does not say.
[[nodiscard]] Caches find_caches();

/// All but the processors of the threads and the load afterwards. Throws std::invalid_argument if BNLAB_FORCE_ISA names
/// an instruction set that does not exist here.
[[nodiscard]] Environment find_environment();

/// The load average of the last minute.
[[nodiscard]] double load_average();

}  // namespace bnlab::bench
