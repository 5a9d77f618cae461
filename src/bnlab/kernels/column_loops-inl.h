// Walks over patches whose runs are single elements: slots are columns, and neighbouring columns fill the vectors.
#if defined(BNLAB_KERNELS_COLUMN_LOOPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNLAB_KERNELS_COLUMN_LOOPS_INL_H_
#undef BNLAB_KERNELS_COLUMN_LOOPS_INL_H_
#else
#define BNLAB_KERNELS_COLUMN_LOOPS_INL_H_
#endif

#include <algorithm>
#include <bit>

#include "bnlab/kernels/lanes-inl.h"
#include "bnlab/kernels/loops.h"

HWY_BEFORE_NAMESPACE();
namespace bnlab::kernels {
namespace HWY_NAMESPACE {
namespace column {

constexpr std::int64_t kBlockRows = 128;     // summed in T before the sums go to double
constexpr std::int64_t kStripRows = 16;      // summed in one chain of additions
constexpr std::int64_t kShiftRows = 8;       // whose mean is a block's shift: cancellation is at most 128/8-fold
constexpr std::int64_t kPieceColumns = 512;  // whose sums lie in L1 while rows pass by

constexpr bool kManyRegisters = HWY_TARGET == HWY_AVX3;  // 32, enough for the sums of tiles twice as wide

/// K sums for each column of a piece of a block, in T.
template <class T, std::size_t K>
struct alignas(64) Sums {
  T at[K][kPieceColumns];
};

/// Some rows of a patch, of some neighbouring columns.
struct Block {
  std::int64_t row, rows, column, columns;
};

/// The rows of a block that are summed in one chain. center[j]: what is subtracted from column block.column + j.
template <class T>
struct Strip {
  const Patch& patch;
  Block at;
  const T* center;
  bool is_first;  // of its block
};

/// Adds a strip's sums of kWidth groups of columns, from `first` of its columns on, to those of the block. The sums
/// stay in registers. op(d, center, element, mask line, column, sums) adds one group's elements to its K sums.
/// fetch(element) is called for the tile of the same rows that comes next, if there is one: a row's next part is too
/// near for the processor's own prefetching to have begun, and the rows too many for it to follow them all.
template <std::size_t kWidth, std::size_t K, class T, class D, class Op, class Fetch>
HWY_INLINE void sum_strip_tile(D d, const Strip<T>& strip, std::int64_t first, bool has_next, Sums<T, K>& sums,
                               const Op& op, const Fetch& fetch) {
  constexpr std::int64_t kStep = kLanesOf<D>, kTile = static_cast<std::int64_t>(kWidth) * kStep;
  const Patch& patch = strip.patch;
  V<D> acc[kWidth][K], middle[kWidth];
  for (std::size_t w = 0; w < kWidth; ++w) {
    middle[w] = hn::LoadU(d, strip.center + first + static_cast<std::int64_t>(w) * kStep);
    for (std::size_t k = 0; k < K; ++k) acc[w][k] = hn::Zero(d);
  }
  for (std::int64_t row = strip.at.row; row < strip.at.row + strip.at.rows; ++row) {
    for (std::size_t w = 0; w < kWidth; ++w) {
      const std::int64_t j = strip.at.column + first + static_cast<std::int64_t>(w) * kStep;
      if (has_next) fetch(row * patch.row_stride + j + kTile);
      op(d, middle[w], row * patch.row_stride + j, row * patch.mask_row, j, acc[w]);
    }
  }
  for (std::size_t w = 0; w < kWidth; ++w) {
    for (std::size_t k = 0; k < K; ++k) {
      T* total = sums.at[k] + first + static_cast<std::int64_t>(w) * kStep;
      hn::StoreU(strip.is_first ? acc[w][k] : hn::Add(hn::LoadU(d, total), acc[w][k]), d, total);
    }
  }
}

/// Tiles of kWidth groups from `begin` of the strip's columns on, as many as there are. Returns where they end.
template <std::size_t kWidth, std::size_t K, class T, class D, class Op, class Fetch>
HWY_INLINE std::int64_t sum_strip_tiles(D d, const Strip<T>& strip, std::int64_t begin, Sums<T, K>& sums, const Op& op,
                                        const Fetch& fetch) {
  constexpr std::int64_t kTile = static_cast<std::int64_t>(kWidth) * kLanesOf<D>;
  std::int64_t j = begin;
  for (; j + kTile <= strip.at.columns; j += kTile) {
    sum_strip_tile<kWidth>(d, strip, j, j + 2 * kTile <= strip.at.columns, sums, op, fetch);
  }
  return j;
}

/// sums.at[k][j] = the sums of a block's column j. Summing strips, then their sums, rounds less than one long chain of
/// additions.
template <std::size_t kWidth, std::size_t K, class T, class Op, class Fetch>
HWY_INLINE void sum_block(const Patch& patch, const Block& block, const T* center, Sums<T, K>& sums, const Op& op,
                          const Fetch& fetch) {
  const hn::ScalableTag<T> full;
  for (std::int64_t done = 0; done < block.rows; done += kStripRows) {
    const Strip<T> strip{patch,
                         {block.row + done, std::min(kStripRows, block.rows - done), block.column, block.columns},
                         center,
                         done == 0};
    std::int64_t j = 0;
    if constexpr (kManyRegisters) j = sum_strip_tiles<2 * kWidth>(full, strip, j, sums, op, fetch);
    j = sum_strip_tiles<kWidth>(full, strip, j, sums, op, fetch);
    for_lanes<T>(j, block.columns, [&](auto d, std::int64_t i) BNLAB_INLINE_LAMBDA {
      sum_strip_tile<1>(d, strip, i, false, sums, op, fetch);
    });
  }
}

/// Calls f(block) for blocks of rows, of pieces of columns, that together cover the patch.
template <class F>
HWY_INLINE void for_blocks(const Patch& patch, const F& f) {
  for (std::int64_t column = 0; column < patch.slots; column += kPieceColumns) {
    const std::int64_t columns = std::min(kPieceColumns, patch.slots - column);
    for (std::int64_t row = 0; row < patch.rows; row += kBlockRows) {
      f(Block{row, std::min(kBlockRows, patch.rows - row), column, columns});
    }
  }
}

/// totals[k][j] = the sums of column j.
template <std::size_t kWidth, std::size_t K, class T, class Op, class Fetch>
HWY_INLINE void reduce(const Patch& patch, const T* center, double* const (&totals)[K], const Op& op,
                       const Fetch& fetch) {
  for (double* total : totals) std::fill_n(total, patch.slots, 0.0);
  Sums<T, K> sums;
  for_blocks(patch, [&](const Block& block) BNLAB_INLINE_LAMBDA {
    sum_block<kWidth>(patch, block, center + block.column, sums, op, fetch);
    for (std::size_t k = 0; k < K; ++k) {
      for (std::int64_t j = 0; j < block.columns; ++j)
        totals[k][block.column + j] += static_cast<double>(sums.at[k][j]);
    }
  });
}

/// shift[j] = the mean of the first rows of a block's column j. x: of the patch.
template <class E, class T = Compute<E>>
HWY_INLINE void shifts(const Patch& patch, const Block& block, const E* x, T* shift) {
  const E* first = x + block.row * patch.row_stride + block.column;
  const auto used =
      static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(std::min(block.rows, kShiftRows))));
  const T part = T(1) / static_cast<T>(used);
  for_lanes<T>(0, block.columns, [&](auto d, std::int64_t j) BNLAB_INLINE_LAMBDA {
    V<decltype(d)> values[kShiftRows];
    for (std::int64_t r = 0; r < used; ++r) {
      values[r] = hn::Mul(load(d, first + r * patch.row_stride + j), hn::Set(d, part));
    }
    for (std::int64_t half = used / 2; half > 0; half /= 2) {
      for (std::int64_t r = 0; r < half; ++r) values[r] = hn::Add(values[r], values[r + half]);
    }
    hn::StoreU(values[0], d, shift + j);
  });
}

/// Joins a block's sums to mean and m2 of the rows before it as merge() does, with the weights shared by all columns.
template <class T>
HWY_INLINE void join_block(const Block& block, const T* HWY_RESTRICT shift, const Sums<T, 2>& sums,
                           double* HWY_RESTRICT mean, double* HWY_RESTRICT m2) {
  const auto rows = static_cast<double>(block.rows), rows_before = static_cast<double>(block.row);
  const double inverse = 1.0 / rows, weight = rows / (rows_before + rows), product = rows_before * weight;
  for (std::int64_t j = 0; j < block.columns; ++j) {
    const double sum = sums.at[0][j];
    const double block_m2 = sums.at[1][j] - sum * sum * inverse;
    const double delta = (shift[j] + sum * inverse) - mean[j];
    const double between = rows_before == 0 ? 0 : delta * delta * product;  // a square may be infinite
    mean[j] += delta * weight;
    m2[j] += (block_m2 < 0 ? 0 : block_m2) + between;
  }
}

/// As Loops::moments. op as in sum_strip_tile() with the sums of x - center and of its square.
template <std::size_t kWidth, class E, class Op, class Fetch>
HWY_INLINE void moments(const Patch& patch, const E* x, double* mean, double* m2, const Op& op, const Fetch& fetch) {
  using T = Compute<E>;
  std::fill_n(mean, patch.slots, 0.0);
  std::fill_n(m2, patch.slots, 0.0);
  alignas(64) T shift[kPieceColumns];
  Sums<T, 2> sums;
  for_blocks(patch, [&](const Block& block) BNLAB_INLINE_LAMBDA {
    shifts(patch, block, x, shift);
    sum_block<kWidth>(patch, block, shift, sums, op, fetch);
    join_block(block, shift, sums, mean + block.column, m2 + block.column);
  });
}

/// Calls op(d, coefficients, element, mask line, column) for all groups of elements. Some rows that are near share the
/// loading of their coefficients.
template <std::size_t K, class T, class Op>
HWY_INLINE void map(const Patch& patch, const Coefficients<T, K>& coefficients, const Op& op) {
  const auto do_rows = [&](std::int64_t row, auto group) BNLAB_INLINE_LAMBDA {
    for_lanes<T>(0, patch.slots, [&](auto d, std::int64_t j) BNLAB_INLINE_LAMBDA {
      V<decltype(d)> a[K];
      for (std::size_t k = 0; k < K; ++k) a[k] = hn::LoadU(d, coefficients.at[k] + j);
      for (std::int64_t r = row; r < row + group; ++r) op(d, a, r * patch.row_stride + j, r * patch.mask_row, j);
    });
  };
  // Rows a multiple of 4096 bytes apart share few lines of L1: four of them, of three arrays, would not stay there.
  const bool crowded = static_cast<std::size_t>(patch.row_stride) * sizeof(T) % 4096 == 0;
  std::int64_t row = 0;
  if (!patch.far && !crowded) {
    for (; row + 4 <= patch.rows; row += 4) do_rows(row, std::integral_constant<std::int64_t, 4>{});
  }
  if (!patch.far) {
    for (; row + 2 <= patch.rows; row += 2) do_rows(row, std::integral_constant<std::int64_t, 2>{});
  }
  for (; row < patch.rows; ++row) do_rows(row, std::integral_constant<std::int64_t, 1>{});
}

}  // namespace column
}  // namespace HWY_NAMESPACE
}  // namespace bnlab::kernels
HWY_AFTER_NAMESPACE();

#endif  // BNLAB_KERNELS_COLUMN_LOOPS_INL_H_
