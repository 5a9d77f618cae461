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

/// Adds a strip's sums of kWidth neighbouring groups of columns, from column + first on, to those of the block. The
/// sums stay in registers.
/// op(d, center, element, mask line, column, sums) adds one group's elements to its K sums. fetch(element) is called
/// for the tile of the same rows that comes next, if there is one: a row's next part is too near for the processor's
/// own prefetching to have begun, and the rows too many for it to follow them all.
template <std::size_t kWidth, std::size_t K, class T, class D, class Op, class Fetch>
HWY_INLINE void sum_strip_tile(D d, const Patch& patch, std::int64_t first_row, std::int64_t rows, std::int64_t column,
                               std::int64_t first, const T* center, bool first_strip, bool has_next, Sums<T, K>& sums,
                               const Op& op, const Fetch& fetch) {
  constexpr std::int64_t kStep = kLanesOf<D>, kTile = static_cast<std::int64_t>(kWidth) * kStep;
  V<D> acc[kWidth][K], middle[kWidth];
  for (std::size_t w = 0; w < kWidth; ++w) {
    middle[w] = hn::LoadU(d, center + first + static_cast<std::int64_t>(w) * kStep);
    for (std::size_t k = 0; k < K; ++k) acc[w][k] = hn::Zero(d);
  }
  for (std::int64_t row = first_row; row < first_row + rows; ++row) {
    for (std::size_t w = 0; w < kWidth; ++w) {
      const std::int64_t j = column + first + static_cast<std::int64_t>(w) * kStep;
      if (has_next) fetch(row * patch.row_stride + j + kTile);
      op(d, middle[w], row * patch.row_stride + j, row * patch.mask_row, j, acc[w]);
    }
  }
  for (std::size_t w = 0; w < kWidth; ++w) {
    for (std::size_t k = 0; k < K; ++k) {
      T* total = sums.at[k] + first + static_cast<std::int64_t>(w) * kStep;
      hn::StoreU(first_strip ? acc[w][k] : hn::Add(hn::LoadU(d, total), acc[w][k]), d, total);
    }
  }
}

/// Tiles of kWidth groups from `begin` on, as many as there are. Returns where they end.
template <std::size_t kWidth, std::size_t K, class T, class D, class Op, class Fetch>
HWY_INLINE std::int64_t sum_strip_tiles(D d, const Patch& patch, std::int64_t first_row, std::int64_t rows,
                                        std::int64_t column, std::int64_t begin, std::int64_t columns, const T* center,
                                        bool first_strip, Sums<T, K>& sums, const Op& op, const Fetch& fetch) {
  constexpr std::int64_t kTile = static_cast<std::int64_t>(kWidth) * kLanesOf<D>;
  std::int64_t j = begin;
  for (; j + kTile <= columns; j += kTile) {
    sum_strip_tile<kWidth>(d, patch, first_row, rows, column, j, center, first_strip, j + 2 * kTile <= columns, sums,
                           op, fetch);
  }
  return j;
}

/// sums.at[k][j] = the sums of a block's column j. Summing strips, then their sums, rounds less than one long chain of
/// additions.
template <std::size_t kWidth, std::size_t K, class T, class Op, class Fetch>
HWY_INLINE void sum_block(const Patch& patch, std::int64_t row, std::int64_t rows, std::int64_t column,
                          std::int64_t columns, const T* center, Sums<T, K>& sums, const Op& op, const Fetch& fetch) {
  const hn::ScalableTag<T> full;
  for (std::int64_t strip = 0; strip < rows; strip += kStripRows) {
    const std::int64_t first = row + strip, count = std::min(kStripRows, rows - strip);
    std::int64_t j = 0;
    if constexpr (kManyRegisters) {
      j = sum_strip_tiles<2 * kWidth>(full, patch, first, count, column, j, columns, center, strip == 0, sums, op,
                                      fetch);
    }
    j = sum_strip_tiles<kWidth>(full, patch, first, count, column, j, columns, center, strip == 0, sums, op, fetch);
    for_lanes<T>(j, columns, [&](auto d, std::int64_t i) BNLAB_INLINE_LAMBDA {
      sum_strip_tile<1>(d, patch, first, count, column, i, center, strip == 0, false, sums, op, fetch);
    });
  }
}

/// Calls f(row, rows, column, columns) for blocks of rows and pieces of columns that together cover the patch.
template <class F>
HWY_INLINE void for_blocks(const Patch& patch, const F& f) {
  for (std::int64_t column = 0; column < patch.slots; column += kPieceColumns) {
    const std::int64_t columns = std::min(kPieceColumns, patch.slots - column);
    for (std::int64_t row = 0; row < patch.rows; row += kBlockRows) {
      f(row, std::min(kBlockRows, patch.rows - row), column, columns);
    }
  }
}

/// totals[k][j] = the sums of column j.
template <std::size_t kWidth, std::size_t K, class T, class Op, class Fetch>
HWY_INLINE void reduce(const Patch& patch, const T* center, double* const (&totals)[K], const Op& op,
                       const Fetch& fetch) {
  for (double* total : totals) std::fill_n(total, patch.slots, 0.0);
  Sums<T, K> sums;
  for_blocks(patch,
             [&](std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns) BNLAB_INLINE_LAMBDA {
               sum_block<kWidth>(patch, row, rows, column, columns, center + column, sums, op, fetch);
               for (std::size_t k = 0; k < K; ++k) {
                 for (std::int64_t j = 0; j < columns; ++j) totals[k][column + j] += static_cast<double>(sums.at[k][j]);
               }
             });
}

/// shift[j] = the mean of the first rows of column j.
template <class E, class T = Compute<E>>
HWY_INLINE void shifts(const E* x, std::int64_t stride, std::int64_t rows, std::int64_t columns, T* shift) {
  const auto used = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(std::min(rows, kShiftRows))));
  const T part = T(1) / static_cast<T>(used);
  for_lanes<T>(0, columns, [&](auto d, std::int64_t j) BNLAB_INLINE_LAMBDA {
    V<decltype(d)> values[kShiftRows];
    for (std::int64_t r = 0; r < used; ++r) values[r] = hn::Mul(load(d, x + r * stride + j), hn::Set(d, part));
    for (std::int64_t half = used / 2; half > 0; half /= 2) {
      for (std::int64_t r = 0; r < half; ++r) values[r] = hn::Add(values[r], values[r + half]);
    }
    hn::StoreU(values[0], d, shift + j);
  });
}

/// Joins a block's sums to mean and m2 of the rows before it as merge() does, with the weights shared by all columns.
template <class T>
HWY_INLINE void join_block(std::int64_t rows_before, std::int64_t rows, std::int64_t columns,
                           const T* HWY_RESTRICT shift, const Sums<T, 2>& sums, double* HWY_RESTRICT mean,
                           double* HWY_RESTRICT m2) {
  const double inverse = 1.0 / static_cast<double>(rows);
  const double weight = static_cast<double>(rows) / static_cast<double>(rows_before + rows);
  const double product = static_cast<double>(rows_before) * weight;
  for (std::int64_t j = 0; j < columns; ++j) {
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
  for_blocks(patch,
             [&](std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns) BNLAB_INLINE_LAMBDA {
               shifts(x + row * patch.row_stride + column, patch.row_stride, rows, columns, shift);
               sum_block<kWidth>(patch, row, rows, column, columns, shift, sums, op, fetch);
               join_block(row, rows, columns, shift, sums, mean + column, m2 + column);
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
