// What something costs, whatever else the machine does: processor time.
#pragma once

#include <ctime>

namespace bnlab {

/// Seconds that this process has spent on processors so far, all its threads together.
inline double cpu_seconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace bnlab
