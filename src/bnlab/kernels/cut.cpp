#include "bnlab/kernels/cut.h"

#include <numeric>

namespace bnlab::kernels {
namespace {

constexpr std::int64_t kTaskElements = 32768;      // 128 KiB of float: lies in L2, and is worth a thread's wake-up
constexpr std::int64_t kCachedElements = 1 << 20;  // batches above live in memory rather than in caches
constexpr std::int64_t kMaxRowChunks = 64;         // bounds the partial results
constexpr std::int64_t kVector = 16;               // floats in the widest vector
constexpr std::int64_t kWideRow = 64;              // a row this long keeps the vector loops busy
constexpr std::int64_t kEnoughTasks = 16;          // row chunks that make cutting rows themselves needless
constexpr std::int64_t kPieceElements = 256;       // columns are cut in pieces of neighbours long enough to stream
constexpr std::int64_t kMaxFoldedChannels = 256;
constexpr std::int64_t kShortRun = 64;  // a run below is mostly ends
constexpr std::int64_t kManyRows = 8;   // rows that make a slot per position worth its merging
constexpr std::int64_t kRowAlign = 64;  // row chunks are halves of the loops' blocks, or whole ones

std::int64_t round_up(std::int64_t value, std::int64_t step) {
  return (value + step - 1) / step * step;
}

Panel panel(std::int64_t rows, std::int64_t slots, std::int64_t run) noexcept {
  Panel p{.rows = rows, .slots = slots, .run = run};
  const std::int64_t row_align = run == 1 ? kRowAlign : 1;
  const std::int64_t slot_align = run == 1 ? kPieceElements : 1;
  const std::int64_t row_elements = run == 1 ? slots : run;
  p.row_step = std::max({kTaskElements / row_elements, (rows + kMaxRowChunks - 1) / kMaxRowChunks, std::int64_t{1}});
  p.row_step = round_up(p.row_step, row_align);
  p.slot_step = std::max<std::int64_t>(slots, 1);
  if (p.row_chunks() < kEnoughTasks) {
    const std::int64_t column = std::clamp<std::int64_t>(rows, 1, p.row_step) * run;
    p.slot_step = round_up(std::max<std::int64_t>(kTaskElements / column, 1), slot_align);
  }
  return p;
}

// How many rows of `channels` elements to lay side by side so that they fill whole vectors.
std::int64_t fold_factor(std::int64_t channels, std::int64_t rows) noexcept {
  if (channels > kMaxFoldedChannels) return 1;
  std::int64_t factor = kVector / std::gcd(channels, kVector);
  while (factor * channels < kWideRow) factor *= 2;
  return factor <= rows ? factor : 1;
}

}  // namespace

Place Panel::place(std::int64_t task) const noexcept {
  const std::int64_t row_chunk = task / slot_chunks();
  const std::int64_t slot = task % slot_chunks() * slot_step;
  return {.patch = {.row_stride = slots * run,
                    .rows = rows_in_chunk(row_chunk),
                    .slots = std::min(slot_step, slots - slot),
                    .run = run,
                    .streams = streams},
          .element = element + (row_chunk * row_step * slots + slot) * run,
          .slot = slot,
          .partial = partial + row_chunk * slots + slot};
}

Cut cut(const Shape& shape) noexcept {
  Cut result{.channels = shape.c};
  if (shape.layout == Layout::kChannelsLast || shape.s == 1) {
    const std::int64_t rows = shape.count();
    const std::int64_t factor = fold_factor(shape.c, rows);
    result.main = panel(rows / factor, factor * shape.c, 1);
    result.rest = panel(rows % factor, shape.c, 1);
    result.rest.element = rows / factor * factor * shape.c;
  } else if (shape.s < kVector || (shape.s < kShortRun && shape.n >= kManyRows)) {
    result.main = panel(shape.n, shape.c * shape.s, 1);
    result.slots_per_channel_run = shape.s;
  } else {
    result.main = panel(shape.n, shape.c, shape.s);
  }
  result.main.streams = shape.elements() > kCachedElements;
  result.rest.partial = result.main.partial + result.main.row_chunks() * result.main.slots;
  return result;
}

}  // namespace bnlab::kernels
