// How much memory libtorch holds of what it took on this thread since a moment.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <cstdint>
#include <memory>

namespace bnlab::ops {

/// Counts from its construction to its destruction, by what allocators report to libtorch's profiler.
class LiveBytes {
 public:
  LiveBytes() : guard_(c10::DebugInfoKind::PROFILER_STATE, counter_) {}
  [[nodiscard]] std::int64_t bytes() const { return counter_->bytes; }

 private:
  struct Counter final : c10::MemoryReportingInfoBase {
    // One of the two overrides: version 2 of libtorch has the totals unsigned.
    void reportMemoryUsage(void*, std::int64_t size, std::int64_t, std::int64_t, c10::Device) { bytes += size; }
    void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device) { bytes += size; }
    bool memoryProfilingEnabled() const override { return true; }
    std::int64_t bytes = 0;
  };

  std::shared_ptr<Counter> counter_ = std::make_shared<Counter>();
  c10::DebugInfoGuard guard_;
};

}  // namespace bnlab::ops
