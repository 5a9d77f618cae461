// The limit of a pass over a batch: the least memory traffic that it needs, at the speed at which the same threads move
// the same amount of memory when they compute nothing.
//
// Traffic is counted in whole batches (tensors of the size of x); the statistics, the parameters and the ReLU's bit
// mask (1/32 of a batch of f32) are left out. Every pass first needs a sum over a channel, then a second look at the
// same elements:
//
//   step                        first look    second look       written
//   forward, training           x             x [addend]        y
//   forward, evaluation         -             x [addend]        y
//   backward                    x dy          x dy              dx [daddend]
//
// ([…]: only with the fused addition.) The second look costs no traffic where the first one left the elements in a
// cache:
// - channels-first, the elements of one channel (a slab) are looked at twice in a row, so a slab that fits the
//   second-level cache is read once; and a larger one too, while those that the threads work on fit half of the
//   last-level cache;
// - channels-last, all elements are looked at before the first is looked at again, so below the last-level cache the
//   batch is read once, above it twice.
// "Above the last-level cache": x fills it, so that the forward pass moves at least twice its size.
//
// The speed is measured with the same tensors, in the same rounds as the kernels, with ordinary stores (memcpy where
// one batch is copied) and, above the last-level cache, also with stores that bypass the caches, which save the
// reading of what is overwritten.
//
// Channels-first memory cannot be moved once, in order: a slab's rows lie C*S elements apart, and all of them are read
// before the first is written. How long such a walk takes is measured above the last-level cache as well: our kernels'
// slabs, without arithmetic and without fetching ahead.
#pragma once

#include <cstddef>
#include <vector>

#include "bnlab/bench/results.h"
#include "bnlab/kernels/cut.h"
#include "bnlab/kernels/shape.h"

namespace bnlab::bench {

struct Caches {
  std::int64_t level2_bytes = 0;      ///< of one core
  std::int64_t last_level_bytes = 0;  ///< shared
};

/// In tensors of the size of x.
struct Traffic {
  int first_reads = 0;  ///< read and left, then read again below
  int reads = 0;        ///< read in the pass that writes
  int writes = 0;

  [[nodiscard]] bool operator==(const Traffic&) const = default;
};

[[nodiscard]] bool above_last_level_cache(std::int64_t batch_bytes, const Caches& caches);

/// The table above.
[[nodiscard]] Traffic least_traffic(Step step, kernels::Fusion fusion, const kernels::Shape& shape,
                                    std::int64_t element_bytes, int threads, const Caches& caches);

/// Moves `traffic` on the OpenMP team: reads sources[0 … first_reads), then reads sources[0 … reads) and writes
/// destinations[0 … writes), of `bytes` bytes each, aligned to 64. reads: 1 or 2; writes: 1, or 2 with two reads.
void move_memory(const Traffic& traffic, const std::vector<const void*>& sources,
                 const std::vector<void*>& destinations, std::size_t bytes, bool streaming);

/// As move_memory() for each of the cut's slabs in turn: reads its rows in sources[0 … first_reads), then, the last row
/// first, reads sources[0 … reads) and writes. Lines that rows share are left to one of them; an incomplete last line
/// is left out. parts.slabs must hold.
void move_slabs(const kernels::Cut& parts, std::int64_t element_bytes, const Traffic& traffic,
                const std::vector<const void*>& sources, const std::vector<void*>& destinations, bool streaming);

/// Whether this build has stores that bypass the caches; without them `streaming` changes nothing.
[[nodiscard]] bool has_streaming_stores();

}  // namespace bnlab::bench
