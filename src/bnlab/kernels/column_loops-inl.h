// Loops over patches whose runs are single elements: slots are columns, and neighbouring columns fill the vectors.
#pragma once

#include <algorithm>
#include <bit>

#include "bnlab/kernels/lanes-inl.h"
#include "bnlab/kernels/loops.h"

namespace bnlab::kernels::inner {

constexpr std::int64_t kBlockRows = 128;     // summed in T before the sums go to double
constexpr std::int64_t kShiftRows = 8;       // whose mean is a block's shift: cancellation is at most 128/8-fold
constexpr std::int64_t kPieceColumns = 512;  // whose sums lie in L1 while rows stream by
constexpr std::int64_t kRowGroup = 4;        // rows read side by side: few streams, and few trips of the sums to L1

/// Per-column values in T, for a piece of a block.
template <class T>
struct alignas(64) ColumnValues {
  T values[kPieceColumns];
};

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
  for_lanes<T>(
      columns, [&]<class L>(std::int64_t j) __attribute__((always_inline)) {
        typename L::Value values[kShiftRows];
        for (std::int64_t r = 0; r < used; ++r) values[r] = L::at(x + r * stride + j) * part;
        sum_by_halves(values, used);
        L::at(shift + j) = values[0];
      });
}

/// sum[j] and square[j] += the sums of x - shift[j] and of its square over column j.
template <class T>
BNLAB_INLINE void add_columns(const Patch& patch, const T* x, std::int64_t rows, std::int64_t columns, const T* shift,
                              T* sum, T* square) noexcept {
  for_row_groups(
      patch, rows, [&]<std::int64_t R>(std::int64_t r) __attribute__((always_inline)) {
        for_lanes<T>(
            columns, [&]<class L>(std::int64_t j) __attribute__((always_inline)) {
              const typename L::Value middle = L::at(shift + j);
              typename L::Value s = L::at(sum + j), q = L::at(square + j);
              for (std::int64_t i = 0; i < R; ++i) {
                const typename L::Value d = L::at(x + (r + i) * patch.row_stride + j) - middle;
                s += d;
                q += d * d;
              }
              L::at(sum + j) = s;
              L::at(square + j) = q;
            });
      });
}

template <class T>
BNLAB_INLINE void column_moments(const Patch& patch, const T* x, double* mean, double* m2) noexcept {
  std::fill_n(mean, patch.slots, 0.0);
  std::fill_n(m2, patch.slots, 0.0);
  ColumnValues<T> shift, sum, square;
  for_column_blocks(
      patch, [&](std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns)
                 __attribute__((always_inline)) {
                   const T* block = x + row * patch.row_stride + column;
                   std::fill_n(sum.values, columns, T(0));
                   std::fill_n(square.values, columns, T(0));
                   column_shifts(block, patch.row_stride, rows, columns, shift.values);
                   add_columns(patch, block, rows, columns, shift.values, sum.values, square.values);

                   // The block joins the rows before it as in merge(), with the weights shared by all columns.
                   const double inverse = 1.0 / static_cast<double>(rows);
                   const double weight = static_cast<double>(rows) / static_cast<double>(row + rows);
                   const double product = static_cast<double>(row) * weight;
                   for (std::int64_t j = 0; j < columns; ++j) {
                     const double s = sum.values[j];
                     const double block_m2 = square.values[j] - s * s * inverse;
                     const double delta = (shift.values[j] + s * inverse) - mean[column + j];
                     mean[column + j] += delta * weight;
                     m2[column + j] += (block_m2 < 0 ? 0 : block_m2) + delta * delta * product;
                   }
                 });
}

/// sum[j] and product[j] += the sums of dy and of dy*(x - center[j]) over column j.
template <class T>
BNLAB_INLINE void add_gradient_columns(const Patch& patch, const T* x, const T* dy, std::int64_t rows,
                                       std::int64_t columns, const T* center, T* sum, T* product) noexcept {
  for_row_groups(
      patch, rows, [&]<std::int64_t R>(std::int64_t r) __attribute__((always_inline)) {
        for_lanes<T>(
            columns, [&]<class L>(std::int64_t j) __attribute__((always_inline)) {
              const typename L::Value middle = L::at(center + j);
              typename L::Value s = L::at(sum + j), p = L::at(product + j);
              for (std::int64_t i = 0; i < R; ++i) {
                const std::int64_t at = (r + i) * patch.row_stride + j;
                const typename L::Value g = L::at(dy + at);
                s += g;
                p += g * (L::at(x + at) - middle);
              }
              L::at(sum + j) = s;
              L::at(product + j) = p;
            });
      });
}

template <class T>
BNLAB_INLINE void column_gradient_sums(const Patch& patch, const T* x, const T* dy, const T* center, double* sum_dy,
                                       double* sum_dy_x) noexcept {
  std::fill_n(sum_dy, patch.slots, 0.0);
  std::fill_n(sum_dy_x, patch.slots, 0.0);
  ColumnValues<T> sum, product;
  for_column_blocks(
      patch, [&](std::int64_t row, std::int64_t rows, std::int64_t column,
                 std::int64_t columns) __attribute__((always_inline)) {
        const std::int64_t first = row * patch.row_stride + column;
        std::fill_n(sum.values, columns, T(0));
        std::fill_n(product.values, columns, T(0));
        add_gradient_columns(patch, x + first, dy + first, rows, columns, center + column, sum.values, product.values);
        for (std::int64_t j = 0; j < columns; ++j) {
          sum_dy[column + j] += sum.values[j];
          sum_dy_x[column + j] += product.values[j];
        }
      });
}

template <class T>
BNLAB_INLINE void column_affine(const Patch& patch, const T* x, const Affine<T>& factors, T* y) noexcept {
  for_row_groups(
      patch, patch.rows, [&]<std::int64_t R>(std::int64_t r) __attribute__((always_inline)) {
        for_lanes<T>(
            patch.slots, [&]<class L>(std::int64_t j) __attribute__((always_inline)) {
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
  for_row_groups(
      patch, patch.rows, [&]<std::int64_t R>(std::int64_t r) __attribute__((always_inline)) {
        for_lanes<T>(
            patch.slots, [&]<class L>(std::int64_t j) __attribute__((always_inline)) {
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
