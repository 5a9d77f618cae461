// How the elements of a batch lie in memory.
#pragma once

#include <cstdint>

namespace bnlab::kernels {

enum class Layout {
  kChannelsFirst,  ///< (N,C,S) contiguous
  kChannelsLast,   ///< (N,S,C) contiguous
};

/// N samples of C channels with S positions each, without gaps. A matrix (N,C) has S = 1, in either layout.
struct Shape {
  std::int64_t n = 0;
  std::int64_t c = 0;
  std::int64_t s = 1;
  Layout layout = Layout::kChannelsFirst;

  /// Elements per channel.
  [[nodiscard]] constexpr std::int64_t count() const noexcept { return n * s; }
  [[nodiscard]] constexpr std::int64_t elements() const noexcept { return n * c * s; }
  [[nodiscard]] constexpr bool valid() const noexcept { return n >= 0 && c >= 0 && s >= 0; }
};

}  // namespace bnlab::kernels
