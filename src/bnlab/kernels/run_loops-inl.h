// Walks over patches whose runs are long: one slot after the other, and neighbours within a run fill the vectors.
#if defined(BNLAB_KERNELS_RUN_LOOPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNLAB_KERNELS_RUN_LOOPS_INL_H_
#undef BNLAB_KERNELS_RUN_LOOPS_INL_H_
#else
#define BNLAB_KERNELS_RUN_LOOPS_INL_H_
#endif

#include <algorithm>
#include <bit>

#include "bnlab/kernels/lanes-inl.h"
#include "bnlab/kernels/loops.h"
#include "bnlab/kernels/moments.h"

HWY_BEFORE_NAMESPACE();
namespace bnlab::kernels {
namespace HWY_NAMESPACE {
namespace run {

constexpr std::size_t kChains = 4;           // additions that do not wait for each other
constexpr std::int64_t kStripLength = 16;    // additions in a chain, before the chains are added to the block's sum
constexpr std::int64_t kBlockVectors = 256;  // summed in T before the sums go to double
constexpr std::int64_t kShiftElements = 64;  // whose mean is a block's shift: cancellation is at most 4096/64-fold

template <class T>
inline constexpr std::int64_t kBlockElements = kBlockVectors* kLanes<T>;

/// How many rows ahead to fetch: those of some thousand elements. Rows lie too far from each other for the processor to
/// see the next one coming.
HWY_INLINE std::int64_t rows_ahead(const Patch& patch) {
  return std::max<std::int64_t>(1, 1024 / patch.run);
}

/// `rows` pieces of `length` neighbours; piece r begins at first + r*row_stride and is part of run (row + r).
struct Block {
  std::int64_t first = 0;
  std::int64_t row = 0;
  std::int64_t rows = 0;
  std::int64_t length = 0;
  std::int64_t offset = 0;  ///< of the piece in its run
};

/// Calls f(block) for blocks of about kBlockElements<T> that together cover a slot: several whole runs, or parts of
/// one.
template <class T, class F>
HWY_INLINE void for_blocks(const Patch& patch, std::int64_t slot, const F& f) {
  const std::int64_t row_step = std::max<std::int64_t>(kBlockElements<T> / patch.run, 1);
  for (std::int64_t row = 0; row < patch.rows; row += row_step) {
    for (std::int64_t i = 0; i < patch.run; i += kBlockElements<T>) {
      f(Block{.first = row * patch.row_stride + slot * patch.run + i,
              .row = row,
              .rows = std::min(row_step, patch.rows - row),
              .length = std::min(kBlockElements<T>, patch.run - i),
              .offset = i});
    }
  }
}

/// K sums of a block in T. Summing strips in several chains, then the chains, rounds less than one long chain would:
/// the elements of a badly scaled channel lie on a coarse grid, and their roundings would all go the same way.
template <class T, std::size_t K>
struct Sums {
  using Full = hn::ScalableTag<T>;
  using One = hn::CappedTag<T, 1>;

  HWY_INLINE Sums() {
    clear_chains();
    for (auto& sum : strips) sum = hn::Zero(Full());
    for (auto& sum : ends) sum = hn::Zero(One());
  }

  HWY_INLINE void clear_chains() {
    for (auto& chain : chains) {
      for (auto& sum : chain) sum = hn::Zero(Full());
    }
  }

  HWY_INLINE void end_strip() {
    for (std::size_t k = 0; k < K; ++k) {
      const auto low = hn::Add(chains[0][k], chains[1][k]), high = hn::Add(chains[2][k], chains[3][k]);
      strips[k] = hn::Add(strips[k], hn::Add(low, high));
    }
    clear_chains();
  }

  /// total[k] = sum k.
  HWY_INLINE void join(T (&total)[K]) {
    end_strip();
    for (std::size_t k = 0; k < K; ++k) total[k] = sum_of_lanes(Full(), strips[k]) + hn::GetLane(ends[k]);
  }

  V<Full> chains[kChains][K];
  V<Full> strips[K];
  V<One> ends[K];  ///< of the elements that fill no vector
};

/// total[k] = the sums of a block. op(d, center, element, mask line, first, sums) adds one group's elements to K sums;
/// fetch(element) asks memory for those that will be needed soon: some rows on, after a slot's last rows the next
/// slot's first ones, also beyond the patch.
template <std::size_t K, class T, class Op, class Fetch>
HWY_INLINE void sum_block(const Patch& patch, const Block& block, std::int64_t slot, T center, T (&total)[K],
                          const Op& op, const Fetch& fetch) {
  const hn::ScalableTag<T> full;
  const hn::CappedTag<T, 1> one;
  const auto middle = hn::Set(full, center);
  constexpr std::int64_t kStep = kLanes<T>;
  constexpr std::int64_t kGroup = static_cast<std::int64_t>(kChains) * kStep;
  const std::int64_t rows = std::min(rows_ahead(patch), patch.rows);
  const std::int64_t same_slot = rows * patch.row_stride;
  const std::int64_t next_slot = same_slot - patch.rows * patch.row_stride + patch.run;
  Sums<T, K> sums;
  std::int64_t strip = 0;
  for (std::int64_t r = 0; r < block.rows; ++r) {
    const std::int64_t piece = block.first + r * patch.row_stride;
    const std::int64_t line = (block.row + r) * patch.mask_row + slot * patch.mask_slot;
    const std::int64_t ahead = block.row + r + rows < patch.rows ? same_slot : next_slot;
    std::int64_t i = 0;
    while (i + kGroup <= block.length) {
      const std::int64_t end = std::min(block.length, i + kStripLength * kGroup);
      for (; i + kGroup <= end; i += kGroup, ++strip) {
        for (std::size_t chain = 0; chain < kChains; ++chain) {
          const std::int64_t at = i + static_cast<std::int64_t>(chain) * kStep;
          if (patch.far) fetch(piece + at + ahead);
          op(full, middle, piece + at, line, block.offset + at, sums.chains[chain]);
        }
      }
      if (strip >= kStripLength) {
        sums.end_strip();
        strip = 0;
      }
    }
    for (std::size_t chain = 0; chain + 1 < kChains && i + kStep <= block.length; ++chain, i += kStep) {
      op(full, middle, piece + i, line, block.offset + i, sums.chains[chain]);
    }
    for (; i < block.length; ++i) op(one, hn::Set(one, center), piece + i, line, block.offset + i, sums.ends);
  }
  sums.join(total);
}

/// totals[k][slot] = the sums of a slot.
template <std::size_t K, class T, class Op, class Fetch>
HWY_INLINE void reduce(const Patch& patch, const T* center, double* const (&totals)[K], const Op& op,
                       const Fetch& fetch) {
  for (std::int64_t slot = 0; slot < patch.slots; ++slot) {
    for (double* total : totals) total[slot] = 0;
    for_blocks<T>(patch, slot, [&](const Block& block) BNLAB_INLINE_LAMBDA {
      T sums[K];
      sum_block(patch, block, slot, center[slot], sums, op, fetch);
      for (std::size_t k = 0; k < K; ++k) totals[k][slot] += static_cast<double>(sums[k]);
    });
  }
}

/// The sum of part*x over kVectors vectors that begin at x, x + step, ..., halves added.
template <std::int64_t kVectors, class D, class E>
HWY_INLINE V<D> sum_of_vectors(D d, const E* x, std::int64_t step, V<D> part) {
  if constexpr (kVectors == 1) {
    return hn::Mul(load(d, x), part);
  } else {
    return hn::Add(sum_of_vectors<kVectors / 2>(d, x, 2 * step, part),
                   sum_of_vectors<kVectors / 2>(d, x + step, 2 * step, part));
  }
}

/// The mean of the first `used` elements, a power of two, at most kVectors vectors.
template <std::int64_t kVectors, class E>
HWY_INLINE Compute<E> mean_of_first(const E* x, std::int64_t used) {
  using T = Compute<E>;
  constexpr std::int64_t kMostVectors = 8;  // in registers
  const T part = T(1) / static_cast<T>(used);
  if constexpr (kVectors > 0 && kVectors <= kMostVectors) {
    if (used < kVectors * kLanes<T>) return mean_of_first<kVectors / 2>(x, used);
    const hn::ScalableTag<T> full;
    return sum_of_lanes(full, sum_of_vectors<kVectors>(full, x, kLanes<T>, hn::Set(full, part)));
  } else {
    T values[kShiftElements] = {};
    for (std::int64_t i = 0; i < used; ++i) values[i] = static_cast<T>(x[i]) * part;
    sum_by_halves(values, used);
    return values[0];
  }
}

/// The mean of a block's first elements.
template <class E>
HWY_INLINE Compute<E> shift_of(const E* x, std::int64_t length) {
  const auto used = std::bit_floor(static_cast<std::uint64_t>(std::min(length, kShiftElements)));
  return mean_of_first<kShiftElements / kLanes<Compute<E>>>(x, static_cast<std::int64_t>(used));
}

/// As Loops::moments. op as in sum_block() with the sums of x - center and of its square. Slots of one block each are
/// finished together: what is left to do for a slot would else take longer than its sums.
template <class E, class Op, class Fetch>
HWY_INLINE void moments(const Patch& patch, const E* x, double* mean, double* m2, const Op& op, const Fetch& fetch) {
  using T = Compute<E>;
  constexpr std::int64_t kGroup = 32;
  const std::int64_t group = patch.rows * patch.run <= kBlockElements<T> ? kGroup : 1;
  for (std::int64_t slot = 0; slot < patch.slots; slot += group) {
    const std::int64_t slots = std::min(group, patch.slots - slot);
    std::int64_t before = 0;
    for_blocks<T>(patch, slot, [&](Block block) BNLAB_INLINE_LAMBDA {
      const std::int64_t count = block.rows * block.length;
      T shift[kGroup], sum[kGroup], squares[kGroup];
      for (std::int64_t j = 0; j < slots; ++j, block.first += patch.run) {
        shift[j] = shift_of(x + block.first, block.length);
        T sums[2];
        sum_block(patch, block, slot + j, shift[j], sums, op, fetch);
        sum[j] = sums[0];
        squares[j] = sums[1];
      }
      double block_mean[kGroup], block_m2[kGroup];
      const double inverse = 1.0 / static_cast<double>(count);
      for (std::int64_t j = 0; j < slots; ++j) {
        const double all = sum[j], inside = squares[j] - all * all * inverse;
        block_mean[j] = static_cast<double>(shift[j]) + all * inverse;
        block_m2[j] = inside < 0 ? 0 : inside;
      }
      for (std::int64_t j = 0; j < slots; ++j) {
        Moments all{count, block_mean[j], block_m2[j]};
        if (before > 0) all = merge({before, mean[slot + j], m2[slot + j]}, all);
        mean[slot + j] = all.mean;
        m2[slot + j] = all.m2;
      }
      before += count;
    });
  }
}

/// Calls op(d, coefficients, element, mask line, first) for all groups of elements, the last row first: of what a pass
/// before this one read, the end is still in the cache. fetch as in sum_block(), also beyond the patch.
template <std::size_t K, class T, class Op, class Fetch>
HWY_INLINE void map(const Patch& patch, const Coefficients<T, K>& coefficients, const Op& op, const Fetch& fetch) {
  // A slab is in the cache: meanwhile the next one's rows can come, which memory would else wait for.
  const std::int64_t ahead = patch.in_slab ? patch.slots * patch.run : -rows_ahead(patch) * patch.row_stride;
  for (std::int64_t row = patch.rows - 1; row >= 0; --row) {
    const bool fetches = patch.far && (patch.in_slab || row >= rows_ahead(patch));
    for (std::int64_t slot = 0; slot < patch.slots; ++slot) {
      const std::int64_t piece = row * patch.row_stride + slot * patch.run;
      const std::int64_t line = row * patch.mask_row + slot * patch.mask_slot;
      T of_slot[K];  // in registers: what op writes could be the arrays
      for (std::size_t k = 0; k < K; ++k) of_slot[k] = coefficients.at[k][slot];
      for_lanes<T>(0, patch.run, [&](auto d, std::int64_t i) BNLAB_INLINE_LAMBDA {
        V<decltype(d)> a[K];
        for (std::size_t k = 0; k < K; ++k) a[k] = hn::Set(d, of_slot[k]);
        if (fetches && kLanesOf<decltype(d)> == kLanes<T>) fetch(piece + i + ahead);
        op(d, a, piece + i, line, i);
      });
    }
  }
}

}  // namespace run
}  // namespace HWY_NAMESPACE
}  // namespace bnlab::kernels
HWY_AFTER_NAMESPACE();

#endif  // BNLAB_KERNELS_RUN_LOOPS_INL_H_
