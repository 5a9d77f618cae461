// What all kernels are made of: a pass that reduces each slot to a few numbers, the joining of these numbers, and a
// pass that maps every element by coefficients of its slot. In a batch of slabs a task does all three for its slots.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "bnlab/kernels/cut.h"
#include "bnlab/kernels/loops.h"
#include "bnlab/kernels/scratch.h"
#include "bnlab/kernels/task_runner.h"

namespace bnlab::kernels {

/// Neighbouring slots of the main panel: whole channels. The rest panel goes with the range of all slots.
struct SlotRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

[[nodiscard]] inline SlotRange all_slots(const Cut& parts) noexcept {
  return {0, parts.main.slots};
}

/// Calls f(channel, first slot, slots) for each group of neighbouring slots of one channel.
template <class F>
void for_channel_runs(const Cut& parts, SlotRange range, const F& f) noexcept {
  const std::int64_t step = parts.slots_per_channel_run;
  std::int64_t channel = parts.channel(range.first);
  for (std::int64_t slot = range.first; slot < range.last; slot += step) {
    f(channel, slot, step);
    if (++channel == parts.channels) channel = 0;
  }
}

/// Calls f(channel) for the channels of a range.
template <class F>
void for_channels(const Cut& parts, SlotRange range, const F& f) noexcept {
  const std::int64_t first = parts.channel(range.first);
  const std::int64_t count = std::min((range.last - range.first) / parts.slots_per_channel_run, parts.channels);
  for (std::int64_t c = first; c < first + count; ++c) f(c);
}

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

  /// sums[c][k] += the sums of channel c's slots in the range, in a fixed order. Destroys the partials.
  void add_to(const Cut& parts, SlotRange range, std::array<double, K>* sums) const noexcept {
    add_panel(parts, parts.main, range, sums);
    if (parts.rest.rows > 0) add_panel(parts, parts.rest, {0, parts.rest.slots}, sums);
  }

 private:
  void add_panel(const Cut& parts, const Panel& panel, SlotRange range, std::array<double, K>* sums) const noexcept {
    for (std::size_t k = 0; k < K; ++k) {
      double* all = at(k, panel.partial);
      for (std::int64_t chunk = 1; chunk < panel.row_chunks(); ++chunk) {
        const double* more = all + chunk * panel.slots;
        for (std::int64_t j = range.first; j < range.last; ++j) all[j] += more[j];
      }
      for_channel_runs(parts, range, [&](std::int64_t channel, std::int64_t slot, std::int64_t slots) {
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
  void fill(const Cut& parts, SlotRange range, const F& of_channel) const noexcept {
    for_channel_runs(parts, range, [&](std::int64_t channel, std::int64_t slot, std::int64_t slots) {
      const std::array<double, K> values = of_channel(channel);
      for (std::size_t k = 0; k < K; ++k) std::fill_n(begin(k) + slot, slots, static_cast<T>(values[k]));
    });
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

/// reduce(place) for every task, finish(range) once they are known for all slots of the range, map(place) for every
/// task. Where reduce and map are passes of their own, each thread's second begins where its first ended: what was read
/// last is still in the cache.
template <class Reduce, class Finish, class Map>
void two_passes(const Cut& parts, TaskRunner& runner, const Reduce& reduce, const Finish& finish,
                const Map& map) noexcept {
  if (parts.slabs) {
    one_pass(parts, runner, [&](const Place& place) {
      reduce(place);
      finish(SlotRange{place.slot, place.slot + place.patch.slots});
      map(place);
    });
    return;
  }
  one_pass(parts, runner, reduce);
  finish(all_slots(parts));
  runner.run(parts.tasks(), [&](std::int64_t begin, std::int64_t end) noexcept {
    for (std::int64_t task = end - 1; task >= begin; --task) map(parts.place(task));
  });
}

}  // namespace bnlab::kernels
