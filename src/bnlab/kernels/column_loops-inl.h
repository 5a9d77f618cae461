// Loops over patches whose runs are single elements: slots are columns, and neighbouring columns fill the vectors.
#pragma once

#include <algorithm>
#include <bit>

#include "bnlab/kernels/lanes-inl.h"
#include "bnlab/kernels/loops.h"

namespace bnlab::kernels::inner {

constexpr std::int64_t kBlockRows = 128;     // summed in T before the sums go to double
constexpr std::int64_t kStripRows = 16;      // summed in one chain of additions
constexpr std::int64_t kShiftRows = 8;       // whose mean is a block's shift: cancellation is at most 128/8-fold
constexpr std::int64_t kPieceColumns = 512;  // whose sums lie in L1 while rows stream by
constexpr std::int64_t kRowGroup = 4;        // rows read side by side: few streams, and few trips of the sums to L1

/// Per-column values in T, for a piece of a block.
template <class T>
struct alignas(64) ColumnValues {
  T values[kPieceColumns];
};

/// Two sums per column.
template <class T>
struct ColumnSums {
  ColumnValues<T> first, second;

  BNLAB_INLINE void clear(std::int64_t columns) noexcept {
    std::fill_n(first.values, columns, T(0));
    std::fill_n(second.values, columns, T(0));
  }
  BNLAB_INLINE void add(const ColumnSums& other, std::int64_t columns) noexcept {
    for (std::int64_t j = 0; j < columns; ++j) first.values[j] += other.first.values[j];
    for (std::int64_t j = 0; j < columns; ++j) second.values[j] += other.second.values[j];
  }
};

/// total = the sums of a block; add(row, rows, sums) adds those of a strip of its rows to sums. Summing strips, then
/// their sums, rounds less than one long chain of additions.
template <class T, class F>
BNLAB_INLINE void sum_strips(std::int64_t rows, std::int64_t columns, ColumnSums<T>& total, const F& add) noexcept {
  ColumnSums<T> strip;
  total.clear(columns);
  for (std::int64_t row = 0; row < rows; row += kStripRows) {
    strip.clear(columns);
    add(row, std::min(kStripRows, rows - row), strip);
    total.add(strip, columns);
  }
}

/// Calls f(row, rows, column, columns) for blocks of rows and pieces of columns that together cover the patch.
template <class F>
BNLAB_INLINE void for_column_blocks(const Patch& patch, const F& f) noexcept {
  for (std::int64_t column = 0; column < patch.slots; column += kPieceColumns) {
    const std::int64_t columns = std::min(kPieceColumns, patch.slots - column);
    for (std::int64_t row = 0; row < patch.rows; row += kBlockRows) {
      f(row, std::min(kBlockRows, patch.rows - row), column, columns);
    }
  }
}

/// Calls f.template operator()<R>(first) for groups of R = kRowGroup rows, then for single rows: all single if the
/// patch streams, because groups cost more in memory's prefetching than they save in L1. Groups do not change results.
template <class F>
BNLAB_INLINE void for_row_groups(const Patch& patch, std::int64_t rows, const F& f) noexcept {
  std::int64_t r = 0;
  for (; !patch.streams && r + kRowGroup <= rows; r += kRowGroup) f.template operator()<kRowGroup>(r);
  for (; r < rows; ++r) f.template operator()<1>(r);
}

/// shift[j] = the mean of the first rows of column j.
template <class T>
BNLAB_INLINE void column_shifts(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t columns,
                                T* shift) noexcept {
  const auto used = static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(std::min(rows, kShiftRows))));
  const T part = T(1) / static_cast<T>(used);
  for_lanes<T>(columns, [&]<class L>(std::int64_t j) BNLAB_INLINE_LAMBDA {
    typename L::Value values[kShiftRows];
    for (std::int64_t r = 0; r < used; ++r) values[r] = L::at(x + r * stride + j) * part;
    sum_by_halves(values, used);
    L::at(shift + j) = values[0];
  });
}

/// sums += the sums of x - shift[j] and of its square over each column j.
template <class T>
BNLAB_INLINE void add_columns(const Patch& patch, const T* x, std::int64_t rows, std::int64_t columns, const T* shift,
                              ColumnSums<T>& sums) noexcept {
  for_row_groups(patch, rows, [&]<std::int64_t R>(std::int64_t r) BNLAB_INLINE_LAMBDA {
    for_lanes<T>(columns, [&]<class L>(std::int64_t j) BNLAB_INLINE_LAMBDA {
      const typename L::Value middle = L::at(shift + j);
      typename L::Value sum = L::at(sums.first.values + j), square = L::at(sums.second.values + j);
      for (std::int64_t i = 0; i < R; ++i) {
        const typename L::Value d = L::at(x + (r + i) * patch.row_stride + j) - middle;
        sum += d;
        square += d * d;
      }
      L::at(sums.first.values + j) = sum;
      L::at(sums.second.values + j) = square;
    });
  });
}

/// Joins a block's sums to mean and m2 of the rows before it as merge() does, with the weights shared by all columns.
template <class T>
BNLAB_INLINE void join_block(std::int64_t rows_before, std::int64_t rows, std::int64_t columns, const T* shift,
                             const ColumnSums<T>& sums, double* mean, double* m2) noexcept {
  const double inverse = 1.0 / static_cast<double>(rows);
  const double weight = static_cast<double>(rows) / static_cast<double>(rows_before + rows);
  const double product = static_cast<double>(rows_before) * weight;
  for (std::int64_t j = 0; j < columns; ++j) {
    const double sum = sums.first.values[j];
    const double block_m2 = sums.second.values[j] - sum * sum * inverse;
    const double delta = (shift[j] + sum * inverse) - mean[j];
    mean[j] += delta * weight;
    m2[j] += (block_m2 < 0 ? 0 : block_m2) + delta * delta * product;
  }
}

template <class T>
BNLAB_INLINE void column_moments(const Patch& patch, const T* x, double* mean, double* m2) noexcept {
  std::fill_n(mean, patch.slots, 0.0);
  std::fill_n(m2, patch.slots, 0.0);
  ColumnValues<T> shift;
  ColumnSums<T> sums;
  for_column_blocks(patch, [&](std::int64_t row, std::int64_t rows, std::int64_t column,
                               std::int64_t columns) BNLAB_INLINE_LAMBDA {
    const T* block = x + row * patch.row_stride + column;
    column_shifts(block, patch.row_stride, rows, columns, shift.values);
    sum_strips(rows, columns, sums, [&](std::int64_t r, std::int64_t count, ColumnSums<T>& strip) BNLAB_INLINE_LAMBDA {
      add_columns(patch, block + r * patch.row_stride, count, columns, shift.values, strip);
    });
    join_block(row, rows, columns, shift.values, sums, mean + column, m2 + column);
  });
}

/// sums += the sums of dy and of dy*(x - center[j]) over each column j.
template <class T>
BNLAB_INLINE void add_gradient_columns(const Patch& patch, const T* x, const T* dy, std::int64_t rows,
                                       std::int64_t columns, const T* center, ColumnSums<T>& sums) noexcept {
  for_row_groups(patch, rows, [&]<std::int64_t R>(std::int64_t r) BNLAB_INLINE_LAMBDA {
    for_lanes<T>(columns, [&]<class L>(std::int64_t j) BNLAB_INLINE_LAMBDA {
      const typename L::Value middle = L::at(center + j);
      typename L::Value sum = L::at(sums.first.values + j), product = L::at(sums.second.values + j);
      for (std::int64_t i = 0; i < R; ++i) {
        const std::int64_t at = (r + i) * patch.row_stride + j;
        const typename L::Value g = L::at(dy + at);
        sum += g;
        product += g * (L::at(x + at) - middle);
      }
      L::at(sums.first.values + j) = sum;
      L::at(sums.second.values + j) = product;
    });
  });
}

template <class T>
BNLAB_INLINE void column_gradient_sums(const Patch& patch, const T* x, const T* dy, const T* center, double* sum_dy,
                                       double* sum_dy_x) noexcept {
  std::fill_n(sum_dy, patch.slots, 0.0);
  std::fill_n(sum_dy_x, patch.slots, 0.0);
  ColumnSums<T> sums;
  for_column_blocks(patch, [&](std::int64_t row, std::int64_t rows, std::int64_t column,
                               std::int64_t columns) BNLAB_INLINE_LAMBDA {
    const std::int64_t block = row * patch.row_stride + column;
    sum_strips(rows, columns, sums, [&](std::int64_t r, std::int64_t count, ColumnSums<T>& strip) BNLAB_INLINE_LAMBDA {
      const std::int64_t first = block + r * patch.row_stride;
      add_gradient_columns(patch, x + first, dy + first, count, columns, center + column, strip);
    });
    for (std::int64_t j = 0; j < columns; ++j) {
      sum_dy[column + j] += sums.first.values[j];
      sum_dy_x[column + j] += sums.second.values[j];
    }
  });
}

template <class T>
BNLAB_INLINE void column_affine(const Patch& patch, const T* x, const Affine<T>& factors, T* y) noexcept {
  for_row_groups(patch, patch.rows, [&]<std::int64_t R>(std::int64_t r) BNLAB_INLINE_LAMBDA {
    for_lanes<T>(patch.slots, [&]<class L>(std::int64_t j) BNLAB_INLINE_LAMBDA {
      const typename L::Value center = L::at(factors.center + j);
      const typename L::Value scale = L::at(factors.scale + j);
      const typename L::Value offset = L::at(factors.offset + j);
      for (std::int64_t i = 0; i < R; ++i) {
        const std::int64_t at = (r + i) * patch.row_stride + j;
        L::at(y + at) = (L::at(x + at) - center) * scale + offset;
      }
    });
  });
}

template <class T>
BNLAB_INLINE void column_input_gradient(const Patch& patch, const T* x, const T* dy, const InputGradient<T>& factors,
                                        T* dx) noexcept {
  for_row_groups(patch, patch.rows, [&]<std::int64_t R>(std::int64_t r) BNLAB_INLINE_LAMBDA {
    for_lanes<T>(patch.slots, [&]<class L>(std::int64_t j) BNLAB_INLINE_LAMBDA {
      const typename L::Value center = L::at(factors.center + j);
      const typename L::Value scale = L::at(factors.scale + j);
      const typename L::Value slope = L::at(factors.slope + j);
      const typename L::Value offset = L::at(factors.offset + j);
      for (std::int64_t i = 0; i < R; ++i) {
        const std::int64_t at = (r + i) * patch.row_stride + j;
        L::at(dx + at) = L::at(dy + at) * scale + ((L::at(x + at) - center) * slope + offset);
      }
    });
  });
}

}  // namespace bnlab::kernels::inner
