// Task runners for tests.
#pragma once

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "bnlab/kernels/task_runner.h"

namespace bnlab::kernels {

/// Hands tasks out in ranges of 1, 2, 3, 1, 2, 3, ... tasks, the last ones first, to `threads` threads: any order, and
/// any thread may get any range.
class ThreadRunner final : public TaskRunner {
 public:
  explicit ThreadRunner(int threads) : threads_(threads) {}

  void run(std::int64_t n, TaskRef task) noexcept override {
    std::atomic<std::int64_t> next = 0;
    const auto work = [&] {
      for (std::int64_t i = next++;; i = next++) {
        const std::int64_t end = n - taken_by(i);
        if (end <= 0) return;
        task(std::max<std::int64_t>(n - taken_by(i + 1), 0), end);
      }
    };
    std::vector<std::thread> others;
    for (int i = 1; i < threads_; ++i) others.emplace_back(work);
    work();
    for (std::thread& other : others) other.join();
    most_tasks_ = std::max(most_tasks_, n);
  }

  [[nodiscard]] std::int64_t most_tasks() const { return most_tasks_; }

 private:
  // Tasks in the first `ranges` ranges.
  static std::int64_t taken_by(std::int64_t ranges) { return ranges / 3 * 6 + (ranges % 3) * (ranges % 3 + 1) / 2; }

  int threads_;
  std::int64_t most_tasks_ = 0;
};

}  // namespace bnlab::kernels
