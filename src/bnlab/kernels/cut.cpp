#include "bnlab/kernels/cut.h"

#include <bit>
#include <cstdio>
#include <numeric>

namespace bnlab::kernels {
namespace {

constexpr std::int64_t kTaskElements = 32768;  // 128 KiB of float: lies in L2, and is worth a thread's wake-up
constexpr std::int64_t kMaxRowChunks = 64;     // bounds the partial results
constexpr std::int64_t kVector = 16;           // floats in the widest vector
constexpr std::int64_t kWideRow = 64;          // a row this long keeps the vector loops busy
constexpr std::int64_t kEnoughTasks = 16;      // row chunks that make cutting rows themselves needless
constexpr std::int64_t kFewElements = 2 * kTaskElements;  // not worth tasks that share rows, whose cores would fetch
                                                          // ahead into each other's lines
constexpr std::int64_t kPieceElements = 256;  // columns are cut in pieces of neighbours long enough to stream
constexpr std::int64_t kMaxFoldedChannels = 256;
constexpr std::int64_t kShortRun = 64;        // a run below is mostly ends
constexpr std::int64_t kManyRows = 8;         // rows that make a slot per position worth its merging
constexpr std::int64_t kRowAlign = 64;        // row chunks are halves of the loops' blocks, or whole ones
constexpr std::int64_t kMaxSlabRows = 512;    // of a column slab: more would not stay in L2, whose sets they share
constexpr std::int64_t kMinSlabChannels = 8;  // fewer leave cores idle
constexpr std::int64_t kMostRowSlots = 3072;  // of a row whose coefficients stay in L1
constexpr std::int64_t kNearBytes = 4 << 20;  // what the cores' own caches hold, with some of it re-read from the next

std::int64_t round_up(std::int64_t value, std::int64_t step) {
  return (value + step - 1) / step * step;
}

std::int64_t mask_line(std::int64_t slots) noexcept {
  return (slots + 7) / 8;
}

Panel uncut_panel(std::int64_t rows, std::int64_t slots, std::int64_t run) noexcept {
  Panel p{.rows = rows, .slots = slots, .run = run, .row_stride = slots * run};
  p.mask_row = run == 1 ? mask_line(slots) : slots * p.mask_slot();
  return p;
}

// Row chunks; where they are too few to keep cores busy, their columns are cut as well.
Panel panel(std::int64_t rows, std::int64_t slots, std::int64_t run) noexcept {
  Panel p = uncut_panel(rows, slots, run);
  const std::int64_t row_align = run == 1 ? kRowAlign : 1;
  const std::int64_t slot_align = run == 1 ? kPieceElements : 1;
  const std::int64_t row_elements = run == 1 ? slots : run;
  p.row_step = std::max({kTaskElements / row_elements, (rows + kMaxRowChunks - 1) / kMaxRowChunks, std::int64_t{1}});
  p.row_step = round_up(p.row_step, row_align);
  p.slot_step = std::max<std::int64_t>(slots, 1);
  if (p.row_chunks() < kEnoughTasks && rows * row_elements > kFewElements) {
    const std::int64_t column = std::clamp<std::int64_t>(rows, 1, p.row_step) * run;
    p.slot_step = round_up(std::max<std::int64_t>(kTaskElements / column, 1), slot_align);
  }
  return p;
}

// All rows in each task. Column tasks begin at whole channels, whole vectors and whole bytes of a mask. Few tasks are
// as many as a power of two, and of one size: of seven, one of two threads would have four.
Panel slab_panel(std::int64_t rows, std::int64_t slots, std::int64_t run, std::int64_t slots_per_channel) noexcept {
  Panel p = uncut_panel(rows, slots, run);
  p.row_step = std::max<std::int64_t>(rows, 1);
  const std::int64_t slot_align = run == 1 ? std::lcm(slots_per_channel, kVector) : 1;
  p.slot_step = round_up(std::max<std::int64_t>(kTaskElements / (rows * run), 1), slot_align);
  if (p.slot_chunks() < kEnoughTasks) {
    const auto tasks = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(p.slot_chunks())));
    p.slot_step = round_up((slots + tasks - 1) / tasks, slot_align);
  }
  p.slab_masks = run == 1;
  return p;
}

// How many rows of `channels` elements to lay side by side so that they fill whole vectors.
std::int64_t fold_factor(std::int64_t channels, std::int64_t rows) noexcept {
  if (channels > kMaxFoldedChannels) return 1;
  std::int64_t factor = kVector / std::gcd(channels, kVector);
  while (factor * channels < kWideRow) factor *= 2;
  return factor <= rows ? factor : 1;
}

// sysconf() is of no use here: on virtual machines with AMD processors it tells ten times too much.
std::int64_t last_level_cache_bytes() noexcept {
  static const std::int64_t bytes = [] {
    long long kibibytes = 0;
    if (std::FILE* file = std::fopen("/sys/devices/system/cpu/cpu0/cache/index3/size", "r")) {
      if (std::fscanf(file, "%lldK", &kibibytes) != 1) kibibytes = 0;
      std::fclose(file);
    }
    return std::int64_t{kibibytes > 0 ? kibibytes : 32 << 10} << 10;
  }();
  return bytes;
}

// Without `rest`, `streams` and the partials' places.
Cut cut_panels(const Shape& shape) noexcept {
  Cut result{.channels = shape.c};
  if (shape.layout == Layout::kChannelsLast || shape.s == 1) {
    const std::int64_t rows = shape.count();
    if (rows <= kMaxSlabRows && shape.c >= kWideRow && shape.elements() > kFewElements) {
      result.main = slab_panel(rows, shape.c, 1, 1);
      result.slabs = true;
      return result;
    }
    const std::int64_t factor = fold_factor(shape.c, rows);
    result.main = panel(rows / factor, factor * shape.c, 1);
    result.rest = panel(rows % factor, shape.c, 1);
    result.rest.element = rows / factor * factor * shape.c;
  } else if (shape.s < kVector || (shape.s < kShortRun && shape.n >= kManyRows)) {
    result.slots_per_channel_run = shape.s;
    result.slabs = shape.n <= kMaxSlabRows;
    result.main =
        result.slabs ? slab_panel(shape.n, shape.c * shape.s, 1, shape.s) : panel(shape.n, shape.c * shape.s, 1);
  } else {
    result.slabs = shape.c >= kMinSlabChannels;
    result.main = result.slabs ? slab_panel(shape.n, shape.c, shape.s, 1) : panel(shape.n, shape.c, shape.s);
  }
  return result;
}

}  // namespace

Place Panel::place(std::int64_t task) const noexcept {
  const std::int64_t row_chunk = task / slot_chunks();
  const std::int64_t slot = task % slot_chunks() * slot_step;
  const std::int64_t taken = std::min(slot_step, slots - slot);
  const std::int64_t line = slab_masks ? mask_line(taken) : mask_row;
  const std::int64_t first_line = run > 1 ? slot * mask_slot() : slot / 8 * (slab_masks ? rows : 1);
  return {.patch = {.row_stride = row_stride,
                    .rows = rows_in_chunk(row_chunk),
                    .slots = taken,
                    .run = run,
                    .mask_row = line,
                    .mask_slot = mask_slot(),
                    .far = far,
                    .streams = streams,
                    .in_slab = in_slab},
          .element = element + row_chunk * row_step * row_stride + slot * run,
          .mask = mask + first_line + row_chunk * row_step * line,
          .slot = slot,
          .partial = partial + row_chunk * slots + slot};
}

Cut Cut::slab(std::int64_t task) const noexcept {
  const Place all = main.place(task);
  Cut result = *this;
  result.first_channel = all.slot / slots_per_channel_run;
  result.slabs = false;
  result.main.in_slab = true;
  result.main.element = all.element;
  result.main.mask = all.mask;
  result.main.mask_row = all.patch.mask_row;
  result.main.slots = result.main.slot_step = all.patch.slots;
  return result;
}

std::int64_t Cut::mask_bytes() const noexcept {
  return rest.mask + rest.rows * rest.mask_row;
}

Cut in_memory_order(Cut parts, bool masks) noexcept {
  Panel& p = parts.main;
  const bool crowded = parts.slots_per_channel_run > 1 && p.slots > kMostRowSlots;
  if (parts.slabs && crowded && !p.far) return parts;
  const std::int64_t row_elements = p.row_stride;
  const std::int64_t slots_per_task =
      round_up(std::max<std::int64_t>(kTaskElements / p.run, 1), p.run == 1 ? kPieceElements : 1);
  p.row_step = std::max<std::int64_t>(kTaskElements / row_elements, 1);
  if (!masks || !p.slab_masks) p.slot_step = p.row_step > 1 ? p.slots : std::min(slots_per_task, p.slots);
  p.partial = parts.rest.partial = 0;
  parts.slabs = false;
  return parts;
}

Cut cut(const Shape& shape, std::size_t element_bytes) noexcept {
  Cut result = cut_panels(shape);
  const std::int64_t bytes = shape.elements() * static_cast<std::int64_t>(element_bytes);
  result.main.far = bytes > kNearBytes;
  result.main.streams = bytes > last_level_cache_bytes() / 4 * 3;
  result.rest.partial = result.main.partial + result.main.row_chunks() * result.main.slots;
  result.rest.mask = result.main.rows * result.main.mask_row;
  return result;
}

}  // namespace bnlab::kernels
