// Task runners for tests.
#pragma once

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "bnlab/kernels/task_runner.h"

namespace bnlab::kernels {

/// Hands tasks out one by one, last first, to `threads` threads: any order and any thread may run any task.
class ThreadRunner final : public TaskRunner {
 public:
  explicit ThreadRunner(int threads) : threads_(threads) {}

  void run(std::int64_t n, TaskRef task) noexcept override {
    std::atomic<std::int64_t> left = n;
    const auto work = [&] {
      for (std::int64_t i = left.fetch_sub(1); i > 0; i = left.fetch_sub(1)) task(i - 1);
    };
    std::vector<std::thread> others;
    for (int i = 1; i < threads_; ++i) others.emplace_back(work);
    work();
    for (std::thread& other : others) other.join();
    most_tasks_ = std::max(most_tasks_, n);
  }

  [[nodiscard]] std::int64_t most_tasks() const { return most_tasks_; }

 private:
  int threads_;
  std::int64_t most_tasks_ = 0;
};

}  // namespace bnlab::kernels
