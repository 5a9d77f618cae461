// The one thing kernels need from a thread pool: to run n independent tasks and to wait for them.
#pragma once

#include <cstdint>
#include <memory>

namespace bnlab::kernels {

/// A view of a callable void(std::int64_t) noexcept; the callable must outlive it.
class TaskRef {
 public:
  template <class F>
  TaskRef(const F& f) noexcept  // NOLINT(google-explicit-constructor): made from a lambda in the call
      : object_(std::addressof(f)),
        call_([](const void* object, std::int64_t i) noexcept { (*static_cast<const F*>(object))(i); }) {}

  void operator()(std::int64_t i) const noexcept { call_(object_, i); }

 private:
  const void* object_;
  void (*call_)(const void*, std::int64_t) noexcept;
};

/// Runs task(0) … task(n − 1), each once, in any order and on any threads, and returns when all have ended.
/// Kernels cut their work by its size alone and merge in a fixed order, so the choice of threads never shows in
/// results.
class TaskRunner {
 public:
  virtual ~TaskRunner() = default;
  virtual void run(std::int64_t n, TaskRef task) noexcept = 0;
};

class SerialTaskRunner final : public TaskRunner {
 public:
  void run(std::int64_t n, TaskRef task) noexcept override {
    for (std::int64_t i = 0; i < n; ++i) task(i);
  }
};

}  // namespace bnlab::kernels
