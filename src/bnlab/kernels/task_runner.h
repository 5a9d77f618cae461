// The one thing kernels need from a thread pool: to run n independent tasks and to wait for them.
#pragma once

#include <cstdint>
#include <memory>

namespace bnlab::kernels {

/// A view of a callable void(std::int64_t begin, std::int64_t end) noexcept that does the tasks begin … end - 1; the
/// callable must outlive it.
class TaskRef {
 public:
  template <class F>
  TaskRef(const F& f) noexcept  // NOLINT(google-explicit-constructor): made from a lambda in the call
      : object_(std::addressof(f)), call_([](const void* object, std::int64_t begin, std::int64_t end) noexcept {
          (*static_cast<const F*>(object))(begin, end);
        }) {}

  void operator()(std::int64_t begin, std::int64_t end) const noexcept { call_(object_, begin, end); }

 private:
  const void* object_;
  void (*call_)(const void*, std::int64_t, std::int64_t) noexcept;
};

/// Does tasks 0 … n - 1, each once, in ranges, in any order and on any threads, and returns when all have ended.
/// Kernels cut their work by its size alone and merge in a fixed order, so the choice of threads never shows in
/// results. The best runner gives each thread one range of neighbours, the same ones every time: a kernel's second
/// pass then finds in a core's own cache what its first pass left there.
class TaskRunner {
 public:
  virtual ~TaskRunner() = default;
  virtual void run(std::int64_t n, TaskRef task) noexcept = 0;
};

class SerialTaskRunner final : public TaskRunner {
 public:
  void run(std::int64_t n, TaskRef task) noexcept override { task(0, n); }
};

}  // namespace bnlab::kernels
