// What all kernels are made of: a pass that reduces each slot to a few numbers, the joining of these numbers, and a
// pass that maps every element by coefficients of its slot. A slab goes through all three on one thread, as a batch of
// its own.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "bnlab/kernels/cut.h"
#include "bnlab/kernels/loops.h"
#include "bnlab/kernels/scratch.h"
#include "bnlab/kernels/status.h"
#include "bnlab/kernels/task_runner.h"

namespace bnlab::kernels {

/// whole(parts, runner) for a batch, or for each of its slabs; the one way that a kernel goes over a batch.
template <class F>
[[nodiscard]] Status for_slabs(const Cut& parts, TaskRunner& runner, const F& whole) noexcept {
  if (!parts.slabs) return whole(parts, runner);
  std::atomic<Status> status = Status::kOk;
  runner.run(parts.tasks(), [&](std::int64_t begin, std::int64_t end) noexcept {
    SerialTaskRunner serial;
    for (std::int64_t task = begin; task < end; ++task) {
      if (const Status of_slab = whole(parts.slab(task), serial); of_slab != Status::kOk) status = of_slab;
    }
  });
  return status;
}

/// The channels of a cut: neighbours. They follow each other in its slots, again and again where rows lie side by side.
struct ChannelRange {
  explicit ChannelRange(const Cut& parts) noexcept
      : first(parts.first_channel),
        last(first + std::min(parts.main.slots / parts.slots_per_channel_run, parts.channels)) {}
  [[nodiscard]] std::int64_t count() const noexcept { return last - first; }
  std::int64_t first;
  std::int64_t last;
};

// What is computed for each channel is computed for kChannelBlock of them at a time, into arrays of its own: loops over
// neighbours that the compiler makes vector code of, and whole lines written, which another core may have read last.
inline constexpr std::int64_t kChannelBlock = 64;

/// Calls f(first channel, channels) for blocks of neighbours that together cover the range.
template <class F>
void for_channel_blocks(const ChannelRange& range, const F& f) noexcept {
  for (std::int64_t c = range.first; c < range.last; c += kChannelBlock) f(c, std::min(kChannelBlock, range.last - c));
}

/// K sums for each channel of a cut.
template <std::size_t K>
class ChannelSums {
 public:
  explicit ChannelSums(const Cut& parts) noexcept
      : range_(parts), values_(static_cast<std::int64_t>(K) * range_.count()) {}

  explicit operator bool() const noexcept { return static_cast<bool>(values_); }
  /// The first channel's, then the others'.
  [[nodiscard]] double* begin(std::size_t k) const noexcept {
    return values_.data() + static_cast<std::int64_t>(k) * range_.count();
  }
  [[nodiscard]] double& at(std::size_t k, std::int64_t channel) const noexcept {
    return begin(k)[channel - range_.first];
  }

 private:
  ChannelRange range_;
  Scratch<double> values_;
};

/// K numbers for each slot of each row chunk.
template <std::size_t K>
class Partials {
 public:
  explicit Partials(const Cut& parts) noexcept
      : size_(parts.partials()), values_(static_cast<std::int64_t>(K) * size_) {}

  explicit operator bool() const noexcept { return static_cast<bool>(values_); }
  [[nodiscard]] double* at(std::size_t k, std::int64_t partial) const noexcept {
    return values_.data() + static_cast<std::int64_t>(k) * size_ + partial;
  }

  /// The sums over each channel's slots, in a fixed order. Destroys the partials.
  void join(const Cut& parts, const ChannelSums<K>& sums) const noexcept {
    const std::int64_t channels = ChannelRange(parts).count();
    for (std::size_t k = 0; k < K; ++k) {
      std::fill_n(sums.begin(k), channels, 0.0);
      for (const Panel* panel : {&parts.main, &parts.rest}) {
        if (panel->rows > 0)
          add_panel(*panel, parts.slots_per_channel_run, at(k, panel->partial), channels, sums.begin(k));
      }
    }
  }

 private:
  static void add_panel(const Panel& panel, std::int64_t step, double* all, std::int64_t channels,
                        double* sums) noexcept {
    for (std::int64_t chunk = 1; chunk < panel.row_chunks(); ++chunk) {
      const double* more = all + chunk * panel.slots;
      for (std::int64_t j = 0; j < panel.slots; ++j) all[j] += more[j];
    }
    for (std::int64_t slot = 0; slot < panel.slots; slot += channels * step) {
      const double* first = all + slot;
      if (step == 1) {
        for (std::int64_t i = 0; i < channels; ++i) sums[i] += first[i];
        continue;
      }
      for (std::int64_t i = 0; i < channels; ++i) {
        double sum = 0;
        for (std::int64_t j = i * step; j < (i + 1) * step; ++j) sum += first[j];
        sums[i] += sum;
      }
    }
  }

  std::int64_t size_;
  Scratch<double> values_;
};

/// K coefficients for each slot of the main panel; the slots of the rest panel are its first ones.
template <class T, std::size_t K>
class SlotCoefficients {
 public:
  explicit SlotCoefficients(const Cut& parts) noexcept
      : slots_(parts.main.slots), values_(static_cast<std::int64_t>(K) * slots_) {}

  explicit operator bool() const noexcept { return static_cast<bool>(values_); }

  /// of_channel(c) returns channel c's coefficients as std::array<double, K>.
  template <class F>
  void fill(const Cut& parts, const F& of_channel) const noexcept {
    const ChannelRange range(parts);
    const std::int64_t step = parts.slots_per_channel_run, period = range.count() * step;
    for_channel_blocks(range, [&](std::int64_t channel, std::int64_t channels) {
      alignas(64) T block[K][kChannelBlock];
      for (std::int64_t i = 0; i < channels; ++i) {
        const std::array<double, K> values = of_channel(channel + i);
        for (std::size_t k = 0; k < K; ++k) block[k][i] = static_cast<T>(values[k]);
      }
      for (std::size_t k = 0; k < K; ++k) {
        T* slots = begin(k) + (channel - range.first) * step;
        if (step == 1) {
          std::copy_n(block[k], channels, slots);
        } else {
          for (std::int64_t i = 0; i < channels; ++i) std::fill_n(slots + i * step, step, block[k][i]);
        }
      }
    });
    for (std::size_t k = 0; k < K; ++k) {  // rows that lie side by side
      for (std::int64_t j = period; j < slots_; ++j) begin(k)[j] = begin(k)[j - period];
    }
  }

  /// Those of a place, as the loops take them.
  [[nodiscard]] Coefficients<T, K> at(const Place& place) const noexcept {
    Coefficients<T, K> result;
    for (std::size_t k = 0; k < K; ++k) result.at[k] = begin(k) + place.slot;
    return result;
  }

 private:
  [[nodiscard]] T* begin(std::size_t k) const noexcept {
    return values_.data() + static_cast<std::int64_t>(k) * slots_;
  }

  std::int64_t slots_;
  Scratch<T> values_;
};

/// A mean as the rounded value that elements are compared with, and what the rounding took away. The elements lie near
/// the rounded mean, so that their difference from it is exact; the rest goes into the coefficients.
template <class T>
struct SplitMean {
  explicit SplitMean(double mean) noexcept : rounded(static_cast<double>(static_cast<T>(mean))), rest(mean - rounded) {}
  double rounded;
  double rest;
};

template <class T>
[[nodiscard]] double value_or(const T* values, std::int64_t i, double otherwise) noexcept {
  return values ? static_cast<double>(values[i]) : otherwise;
}

/// f(place) for every task.
template <class F>
void one_pass(const Cut& parts, TaskRunner& runner, const F& f) noexcept {
  runner.run(parts.tasks(), [&](std::int64_t begin, std::int64_t end) noexcept {
    for (std::int64_t task = begin; task < end; ++task) f(parts.place(task));
  });
}

/// reduce(place) for every task, finish() once all are known, map(place) for every task. Each thread's second pass
/// begins where its first ended: what was read last is still in the cache.
template <class Reduce, class Finish, class Map>
void two_passes(const Cut& parts, TaskRunner& runner, const Reduce& reduce, const Finish& finish,
                const Map& map) noexcept {
  one_pass(parts, runner, reduce);
  finish();
  runner.run(parts.tasks(), [&](std::int64_t begin, std::int64_t end) noexcept {
    for (std::int64_t task = end - 1; task >= begin; --task) map(parts.place(task));
  });
}

}  // namespace bnlab::kernels
