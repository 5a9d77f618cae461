// How a batch is cut into tasks: by its shape alone, so that results do not depend on the number of threads.
//
// Every layout is seen as one matrix of `rows` x `slots`, whose entries are runs of `run` neighbouring elements:
//   channels last               rows = N*S, slots = C,   run = 1
//   ... with few channels       rows = N*S/g, slots = g*C, run = 1: g rows side by side fill the vectors
//   channels first              rows = N,   slots = C,   run = S
//   ... with few positions      rows = N,   slots = C*S, run = 1
// A slot belongs to one channel; a channel may own several slots, whose results are merged.
//
// Where a task can hold whole channels (a slab), it does everything for them while they lie in its core's cache, and
// memory is read once. Else tasks hold some rows of all channels, and statistics need a pass of their own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "bnlab/kernels/shape.h"

namespace bnlab::kernels {

/// One task's part of a panel; element (row, slot, i) is at row*row_stride + slot*run + i from its first. Its bit in a
/// ReLU mask is bit i (bit `slot` if run == 1) of the line at row*mask_row + slot*mask_slot bytes from its first.
struct Patch {
  std::int64_t row_stride = 0;
  std::int64_t rows = 0;
  std::int64_t slots = 0;
  std::int64_t run = 1;
  std::int64_t mask_row = 0;
  std::int64_t mask_slot = 0;  ///< 0 if run == 1
  bool far = false;            ///< the batch does not stay in the cores' own caches: fetch ahead
  bool streams = false;        ///< the batch does not stay in any cache: write around the caches
  bool in_slab = false;        ///< the task after this one has the next slots of the same rows
};

/// Where a patch lies in its panel.
struct Place {
  Patch patch;
  std::int64_t element = 0;  ///< of the patch's first, from the tensor's first
  std::int64_t mask = 0;     ///< byte of the patch's first, from the mask's first
  std::int64_t slot = 0;     ///< of the patch's first, in its panel
  std::int64_t partial = 0;  ///< of the patch's first slot in the array of partial results
};

/// A matrix of rows x slots x run elements, cut into chunks of rows and of slots.
/// Partial results form a matrix (row_chunks, slots) that starts at `partial`. A mask's lines are those of whole rows,
/// or, with `slab_masks`, of the rows of one chunk of slots after the other: threads then share no line of the caches.
struct Panel {
  std::int64_t element = 0;
  std::int64_t mask = 0;
  std::int64_t rows = 0;
  std::int64_t slots = 0;
  std::int64_t run = 1;
  std::int64_t row_stride = 0;
  std::int64_t mask_row = 0;  ///< as in Patch, of whole rows
  std::int64_t row_step = 1;
  std::int64_t slot_step = 1;
  std::int64_t partial = 0;
  bool far = false;
  bool streams = false;
  bool in_slab = false;
  bool slab_masks = false;  ///< run is 1, slot_step whole bytes of a mask

  [[nodiscard]] std::int64_t row_chunks() const noexcept { return (rows + row_step - 1) / row_step; }
  [[nodiscard]] std::int64_t slot_chunks() const noexcept { return (slots + slot_step - 1) / slot_step; }
  [[nodiscard]] std::int64_t tasks() const noexcept { return row_chunks() * slot_chunks(); }
  [[nodiscard]] std::int64_t rows_in_chunk(std::int64_t chunk) const noexcept {
    return std::min(row_step, rows - chunk * row_step);
  }
  [[nodiscard]] std::int64_t mask_slot() const noexcept { return run == 1 ? 0 : (run + 7) / 8; }
  [[nodiscard]] Place place(std::int64_t task) const noexcept;
};

/// The whole batch: a panel, and one more for the rows that are left when rows are laid side by side.
struct Cut {
  Panel main = {};
  Panel rest = {};
  std::int64_t first_channel = 0;          ///< of the first slot
  std::int64_t channels = 0;               ///< of the whole batch
  std::int64_t slots_per_channel_run = 1;  ///< neighbouring slots of one channel
  bool slabs = false;                      ///< every task holds all elements of its channels; there is no rest

  [[nodiscard]] std::int64_t tasks() const noexcept { return main.tasks() + rest.tasks(); }
  [[nodiscard]] std::int64_t partials() const noexcept { return rest.partial + rest.row_chunks() * rest.slots; }
  [[nodiscard]] std::int64_t channel(std::int64_t slot) const noexcept {
    return (first_channel + slot / slots_per_channel_run) % channels;
  }
  /// A task of slabs as a batch of its own, with one task.
  [[nodiscard]] Cut slab(std::int64_t task) const noexcept;
  [[nodiscard]] Place place(std::int64_t task) const noexcept {
    return task < main.tasks() ? main.place(task) : rest.place(task - main.tasks());
  }
  [[nodiscard]] std::int64_t mask_bytes() const noexcept;
};

/// The same panels, cut so that tasks follow each other in memory and hold no channel whole: for what needs no
/// statistics. Only a near batch whose rows have more coefficients than L1 holds stays in slabs. Without `masks` no
/// place of a mask is right: then the order is that of memory alone.
[[nodiscard]] Cut in_memory_order(Cut parts, bool masks) noexcept;

/// A valid shape with at least one element, of `element_bytes` each: they decide about `far` and `streams`, and nothing
/// else.
[[nodiscard]] Cut cut(const Shape& shape, std::size_t element_bytes) noexcept;

}  // namespace bnlab::kernels
