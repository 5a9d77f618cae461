// The threads that a benchmark runs on: one OpenMP team for ours, libtorch and oneDNN, each thread kept on a processor.
#pragma once

#include <sched.h>

#include <vector>

#include "bnlab/kernels/task_runner.h"

namespace bnlab::bench {

/// While it lives, the OpenMP team of the calling thread (and with it libtorch's and oneDNN's) has `threads` threads,
/// each bound to a processor of its own; afterwards all is as before. Where OpenMP itself binds threads (OMP_PROC_BIND,
/// which it reads once, before main()), the binding is left to it: it also binds threads that it starts later, which
/// happens with more than two threads. Throws std::invalid_argument if there are fewer processors than threads.
class PinnedThreads {
 public:
  explicit PinnedThreads(int threads);
  ~PinnedThreads();
  PinnedThreads(const PinnedThreads&) = delete;
  PinnedThreads& operator=(const PinnedThreads&) = delete;

  /// The processor of each thread.
  [[nodiscard]] const std::vector<int>& processors() const { return processors_; }

 private:
  bool bind_here_;
  cpu_set_t before_{};
  int threads_before_;
  std::vector<int> processors_;
};

/// Runs tasks on the OpenMP team: each thread one range of neighbours, the same ones every time.
class OpenMpTaskRunner final : public kernels::TaskRunner {
 public:
  void run(std::int64_t n, kernels::TaskRef task) noexcept override;
};

}  // namespace bnlab::bench
