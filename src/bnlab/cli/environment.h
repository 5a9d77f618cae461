// What the environment asks of the program, checked before libtorch and the kernels read it.
#pragma once

#include <cstdint>
#include <string>

namespace bnlab {

/// Throws std::invalid_argument, one sentence, for a BNLAB_FORCE_ISA that this machine does not have and for a number
/// of threads (OMP_NUM_THREADS and its like) that is none or that cannot be started here.
void check_environment();

/// Throws std::invalid_argument, naming `what`, unless that many threads can run here at the same time: libgomp ends
/// the process where it cannot start one. Finds out by starting them.
void require_threads(const std::string& what, int64_t threads);

}  // namespace bnlab
