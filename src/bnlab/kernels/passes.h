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

/// Calls f(channel, first slot, slots) for each group of neighbouring slots of one channel, `slots` in all.
template <class F>
void for_channel_runs(const Cut& parts, std::int64_t slots, const F& f) noexcept {
  const std::int64_t step = parts.slots_per_channel_run;
  std::int64_t channel = parts.first_channel;
  for (std::int64_t slot = 0; slot < slots; slot += step) {
    f(channel, slot, step);
    if (++channel == parts.channels) channel = 0;
  }
}

/// The channels of a cut: neighbours.
struct ChannelRange {
  explicit ChannelRange(const Cut& parts) noexcept
      : first(parts.first_channel),
        last(first + std::min(parts.main.slots / parts.slots_per_channel_run, parts.channels)) {}
  std::int64_t first;
  std::int64_t last;
};

/// A value for each channel of a cut.
template <class T>
class PerChannel {
 public:
  explicit PerChannel(const Cut& parts) noexcept : range_(parts), values_(range_.last - range_.first) {}

  explicit operator bool() const noexcept { return static_cast<bool>(values_); }
  T& operator[](std::int64_t channel) const noexcept { return values_[channel - range_.first]; }

 private:
  ChannelRange range_;
  Scratch<T> values_;
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

  /// sums[c][k] = the sum over channel c's slots, in a fixed order. Destroys the partials.
  void join(const Cut& parts, const PerChannel<std::array<double, K>>& sums) const noexcept {
    const ChannelRange range(parts);
    for (std::int64_t c = range.first; c < range.last; ++c) sums[c] = {};
    for (const Panel* panel : {&parts.main, &parts.rest}) {
      if (panel->rows > 0) add_panel(parts, *panel, sums);
    }
  }

 private:
  void add_panel(const Cut& parts, const Panel& panel, const PerChannel<std::array<double, K>>& sums) const noexcept {
    for (std::size_t k = 0; k < K; ++k) {
      double* all = at(k, panel.partial);
      for (std::int64_t chunk = 1; chunk < panel.row_chunks(); ++chunk) {
        const double* more = all + chunk * panel.slots;
        for (std::int64_t j = 0; j < panel.slots; ++j) all[j] += more[j];
      }
      for_channel_runs(parts, panel.slots, [&](std::int64_t channel, std::int64_t slot, std::int64_t slots) {
        double sum = 0;
        for (std::int64_t j = slot; j < slot + slots; ++j) sum += all[j];
        sums[channel][k] += sum;
      });
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
    const std::int64_t step = parts.slots_per_channel_run, period = (range.last - range.first) * step;
    for_channel_runs(parts, period, [&](std::int64_t channel, std::int64_t slot, std::int64_t slots) {
      const std::array<double, K> values = of_channel(channel);
      for (std::size_t k = 0; k < K; ++k) {
        if (slots == 1) {
          begin(k)[slot] = static_cast<T>(values[k]);
        } else {
          std::fill_n(begin(k) + slot, slots, static_cast<T>(values[k]));
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
