// libtorch's thread pool for the kernels.
#pragma once

#include <ATen/Parallel.h>

#include "bnlab/kernels/task_runner.h"

namespace bnlab::ops {

/// Runs tasks on the threads of at::parallel_for: one range of neighbours for each thread, the same one in every call
/// with the same n. Serial inside another parallel region.
class AtTaskRunner final : public kernels::TaskRunner {
 public:
  void run(std::int64_t n, kernels::TaskRef task) noexcept override {
    at::parallel_for(0, n, /*grain_size=*/1, [&](std::int64_t begin, std::int64_t end) { task(begin, end); });
  }
};

}  // namespace bnlab::ops
