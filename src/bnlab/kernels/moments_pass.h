// The first pass of training: moments of each slot, and their joining into those of channels.
#pragma once

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

  /// moments[c] = the moments of the range's channels. Destroys the partial ones.
  void join(SlotRange range, Moments* moments) const noexcept {
    for_channels(parts_, range, [&](std::int64_t c) { moments[c] = {}; });
    join_panel(parts_.main, range, moments);
    if (parts_.rest.rows > 0) join_panel(parts_.rest, {0, parts_.rest.slots}, moments);
  }

 private:
  void join_panel(const Panel& panel, SlotRange range, Moments* moments) const noexcept {
    double* mean = partials_.at(0, panel.partial);
    double* m2 = partials_.at(1, panel.partial);
    for (std::int64_t chunk = 1; chunk < panel.row_chunks(); ++chunk) {
      const std::int64_t more = range.first + chunk * panel.slots;
      inner_.join_moments(range.last - range.first, static_cast<double>(panel.run),
                          static_cast<double>(chunk * panel.row_step), static_cast<double>(panel.rows_in_chunk(chunk)),
                          mean + more, m2 + more, mean + range.first, m2 + range.first);
    }
    for_channel_runs(parts_, range, [&](std::int64_t channel, std::int64_t slot, std::int64_t slots) {
      for (std::int64_t j = slot; j < slot + slots; ++j) {
        moments[channel] = merge(moments[channel], {panel.rows * panel.run, mean[j], m2[j]});
      }
    });
  }

  const Cut& parts_;
  const Loops<E>& inner_;
  Partials<2> partials_;
};

}  // namespace bnlab::kernels
