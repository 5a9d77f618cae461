#include "bnlab/bench/threads.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <stdexcept>

namespace bnlab::bench {
namespace {

std::vector<int> listed(const cpu_set_t& set) {
  std::vector<int> processors;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) processors.push_back(i);
  }
  return processors;
}

cpu_set_t processors_of_this_thread() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof(set), &set);
  return set;
}

cpu_set_t only(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  return set;
}

void bind_this_thread(const cpu_set_t& processors) {
  sched_setaffinity(0, sizeof(processors), &processors);
}

}  // namespace

PinnedThreads::PinnedThreads(int threads)
    : bind_here_(omp_get_proc_bind() == omp_proc_bind_false),
      before_(processors_of_this_thread()),
      threads_before_(at::get_num_threads()) {
  const std::vector<int> allowed = listed(before_);
  const int available = bind_here_ ? static_cast<int>(allowed.size()) : omp_get_num_places();
  if (threads < 1 || threads > available) {
    throw std::invalid_argument(
        fmt::format("--threads: {} threads need as many processors, this process may use {}", threads, available));
  }
  processors_.resize(static_cast<std::size_t>(threads));
  at::set_num_threads(threads);
#pragma omp parallel num_threads(threads)
  {
    const auto thread = static_cast<std::size_t>(omp_get_thread_num());
    if (bind_here_) bind_this_thread(only(allowed[thread]));
    processors_[thread] = listed(processors_of_this_thread()).front();
  }
}

PinnedThreads::~PinnedThreads() {
  if (bind_here_) {
#pragma omp parallel num_threads(static_cast <int>(processors_.size()))
    bind_this_thread(before_);
  }
  at::set_num_threads(threads_before_);
}

void OpenMpTaskRunner::run(std::int64_t n, kernels::TaskRef task) noexcept {
  const std::int64_t threads = omp_get_max_threads();
  if (threads == 1 || n <= 1) {
    if (n > 0) task(0, n);
    return;
  }
  // The whole team, even if it has more threads than there are tasks: OpenMP ends the threads that a team leaves out.
#pragma omp parallel num_threads(static_cast <int>(threads))
  {
    const std::int64_t t = omp_get_thread_num();
    const std::int64_t begin = n * t / threads, end = n * (t + 1) / threads;
    if (begin < end) task(begin, end);
  }
}

}  // namespace bnlab::bench
