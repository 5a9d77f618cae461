// How a batch is cut into tasks: by its shape alone, so that results do not depend on the number of threads.
//
// Every layout is seen as one matrix of `rows` x `slots`, whose entries are runs of `run` neighbouring elements:
//   channels last               rows = N*S, slots = C,   run = 1
//   ... with few channels       rows = N*S/g, slots = g*C, run = 1: g rows side by side fill the vectors
//   channels first              rows = N,   slots = C,   run = S
//   ... with few positions      rows = N,   slots = C*S, run = 1
// A slot belongs to one channel; a channel may own several slots, whose results are merged at the end.
#pragma once

#include <algorithm>
#include <cstdint>

#include "bnlab/kernels/shape.h"

namespace bnlab::kernels {

/// One task's part of a panel; element (row, slot, i) is at row*row_stride + slot*run + i from its first.
struct Patch {
  std::int64_t row_stride = 0;
  std::int64_t rows = 0;
  std::int64_t slots = 0;
  std::int64_t run = 1;
  bool streams = false;  ///< the batch does not stay in cache: read it strictly in order
};

/// Where a patch lies in its panel.
struct Place {
  Patch patch;
  std::int64_t element = 0;  ///< of the patch's first, from the tensor's first
  std::int64_t slot = 0;     ///< of the patch's first
  std::int64_t partial = 0;  ///< of the patch's first slot in the array of partial results
};

/// A matrix of rows x slots x run elements, cut into chunks of rows and of slots.
/// Partial results form a matrix (row_chunks, slots) that starts at `partial`.
struct Panel {
  std::int64_t element = 0;
  std::int64_t rows = 0;
  std::int64_t slots = 0;
  std::int64_t run = 1;
  std::int64_t row_step = 1;
  std::int64_t slot_step = 1;
  std::int64_t partial = 0;
  bool streams = false;

  [[nodiscard]] std::int64_t row_chunks() const noexcept { return (rows + row_step - 1) / row_step; }
  [[nodiscard]] std::int64_t slot_chunks() const noexcept { return (slots + slot_step - 1) / slot_step; }
  [[nodiscard]] std::int64_t tasks() const noexcept { return row_chunks() * slot_chunks(); }
  [[nodiscard]] std::int64_t rows_in_chunk(std::int64_t chunk) const noexcept {
    return std::min(row_step, rows - chunk * row_step);
  }
  [[nodiscard]] Place place(std::int64_t task) const noexcept;
};

/// The whole batch: a panel, and one more for the rows that are left when rows are laid side by side.
struct Cut {
  Panel main = {};
  Panel rest = {};
  std::int64_t channels = 0;
  std::int64_t slots_per_channel_run = 1;  ///< neighbouring slots of one channel

  [[nodiscard]] std::int64_t tasks() const noexcept { return main.tasks() + rest.tasks(); }
  [[nodiscard]] std::int64_t partials() const noexcept { return rest.partial + rest.row_chunks() * rest.slots; }
  [[nodiscard]] std::int64_t channel(std::int64_t slot) const noexcept {
    return slot / slots_per_channel_run % channels;
  }
  [[nodiscard]] Place place(std::int64_t task) const noexcept {
    return task < main.tasks() ? main.place(task) : rest.place(task - main.tasks());
  }
};

/// A valid shape with at least one element.
[[nodiscard]] Cut cut(const Shape& shape) noexcept;

}  // namespace bnlab::kernels
