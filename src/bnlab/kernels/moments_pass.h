// The first pass of training: moments of each slot, and their joining into those of channels.
#pragma once

#include <algorithm>

#include "bnlab/kernels/loops.h"
#include "bnlab/kernels/moments.h"
#include "bnlab/kernels/passes.h"

namespace bnlab::kernels {

template <class E>
class MomentsPass {
 public:
  MomentsPass(const Cut& parts, const Loops<E>& inner) noexcept : parts_(parts), inner_(inner), partials_(parts) {}

  explicit operator bool() const noexcept { return static_cast<bool>(partials_); }

  /// x: the tensor's first element.
  void reduce(const Place& place, const E* x) const noexcept {
    inner_.moments(place.patch, x + place.element, partials_.at(0, place.partial), partials_.at(1, place.partial));
  }

  /// mean[c], m2[c] = the moments of channel c, for the channels of the cut. Destroys the partial moments.
  void join(double* mean, double* m2) const noexcept {
    join_panel(parts_.main, 0, mean, m2);
    if (parts_.rest.rows > 0) join_panel(parts_.rest, parts_.main.rows * parts_.main.slots / parts_.channels, mean, m2);
  }

 private:
  /// `before`: elements of each channel that mean and m2 already hold.
  void join_panel(const Panel& panel, std::int64_t before, double* mean, double* m2) const noexcept {
    double* slot_mean = partials_.at(0, panel.partial);
    double* slot_m2 = partials_.at(1, panel.partial);
    for (std::int64_t chunk = 1; chunk < panel.row_chunks(); ++chunk) {
      const std::int64_t more = chunk * panel.slots;
      inner_.join_moments(panel.slots, static_cast<double>(panel.run), static_cast<double>(chunk * panel.row_step),
                          static_cast<double>(panel.rows_in_chunk(chunk)), slot_mean + more, slot_m2 + more, slot_mean,
                          slot_m2);
    }
    const ChannelRange range(parts_);
    const std::int64_t step = parts_.slots_per_channel_run, channels = range.count();
    const std::int64_t count = panel.rows * panel.run * step;
    for (std::int64_t slot = 0; slot < panel.slots; slot += channels * step, before += count) {
      double *more_mean = slot_mean + slot, *more_m2 = slot_m2 + slot;
      if (step > 1) join_neighbours(panel.rows * panel.run, step, channels, more_mean, more_m2);
      if (before > 0) {
        inner_.join_moments(channels, 1, static_cast<double>(before), static_cast<double>(count), more_mean, more_m2,
                            mean + range.first, m2 + range.first);
      } else {
        std::copy_n(more_mean, channels, mean + range.first);
        std::copy_n(more_m2, channels, m2 + range.first);
      }
    }
  }

  /// mean[c], m2[c] = the moments of the slots c*step ... (c + 1)*step - 1, of `count` elements each.
  static void join_neighbours(std::int64_t count, std::int64_t step, std::int64_t channels, double* mean,
                              double* m2) noexcept {
    for (std::int64_t c = 0; c < channels; ++c) {
      const Moments all = merge_equal(count, step, mean + c * step, m2 + c * step);
      mean[c] = all.mean;
      m2[c] = all.m2;
    }
  }

  const Cut& parts_;
  const Loops<E>& inner_;
  Partials<2> partials_;
};

}  // namespace bnlab::kernels
