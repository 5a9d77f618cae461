// Loops over patches whose runs are long: one slot after the other, and neighbours within a run fill the vectors.
#pragma once

#include <algorithm>
#include <bit>

#include "bnlab/kernels/lanes-inl.h"
#include "bnlab/kernels/loops.h"
#include "bnlab/kernels/moments.h"

namespace bnlab::kernels::inner {

constexpr std::int64_t kBlockElements = 4096;  // summed in T before the sums go to double
constexpr std::int64_t kShiftElements = 64;    // whose mean is a block's shift: cancellation is at most 4096/64-fold

/// `rows` pieces of `length` neighbours, `stride` apart.
struct Block {
  std::int64_t first = 0;
  std::int64_t rows = 0;
  std::int64_t stride = 0;
  std::int64_t length = 0;
};

/// Calls f(block) for blocks of about kBlockElements that together cover a slot: several whole runs, or parts of one.
template <class F>
BNLAB_INLINE void for_blocks(const Patch& patch, std::int64_t slot, const F& f) noexcept {
  const std::int64_t row_step = std::max<std::int64_t>(kBlockElements / patch.run, 1);
  for (std::int64_t row = 0; row < patch.rows; row += row_step) {
    for (std::int64_t i = 0; i < patch.run; i += kBlockElements) {
      f(Block{.first = row * patch.row_stride + slot * patch.run + i,
              .rows = std::min(row_step, patch.rows - row),
              .stride = patch.row_stride,
              .length = std::min(kBlockElements, patch.run - i)});
    }
  }
}

constexpr int kChains = 4;  // additions that do not wait for each other

/// As for_lanes(), with the number of a chain (0 … kChains - 1) as a second argument.
template <class T, class F>
BNLAB_INLINE void for_chained_lanes(std::int64_t count, const F& f) noexcept {
  constexpr std::int64_t kStep = FullLanes<T>::kCount;
  std::int64_t i = 0;
  for (; i + kChains * kStep <= count; i += kChains * kStep) {
    for (int chain = 0; chain < kChains; ++chain) f.template operator()<FullLanes<T>>(i + chain * kStep, chain);
  }
  for_lanes<T>(count - i,
               [&]<class L>(std::int64_t rest) BNLAB_INLINE_LAMBDA { f.template operator()<L>(i + rest, 0); });
}

/// A sum over a block, a partial sum for each kind of lane; total() adds them in double, in a fixed order.
template <class T>
struct LaneSum {
  typename FullLanes<T>::Value full[kChains] = {};
  typename QuarterLanes<T>::Value quarter = {};
  T one = 0;

  template <class L>
  BNLAB_INLINE void add(const typename L::Value& value, int chain) noexcept {
    if constexpr (L::kCount == FullLanes<T>::kCount) {
      full[chain] += value;
    } else if constexpr (L::kCount == QuarterLanes<T>::kCount) {
      quarter += value;
    } else {
      one += value;
    }
  }

  [[nodiscard]] BNLAB_INLINE double total() const noexcept {
    double sum = one;
    for (int i = 0; i < QuarterLanes<T>::kCount; ++i) sum += quarter[i];
    for (int i = 0; i < FullLanes<T>::kCount; ++i) {
      for (int chain = 0; chain < kChains; ++chain) sum += full[chain][i];
    }
    return sum;
  }
};

template <class T>
BNLAB_INLINE T run_shift(const T* x, std::int64_t length) noexcept {
  const auto used =
      static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(std::min(length, kShiftElements))));
  const T part = T(1) / static_cast<T>(used);
  T values[kShiftElements];
  for (std::int64_t i = 0; i < used; ++i) values[i] = x[i] * part;
  sum_by_halves(values, used);
  return values[0];
}

template <class T>
BNLAB_INLINE Moments run_block_moments(const Block& block, const T* x) noexcept {
  const T shift = run_shift(x + block.first, block.length);
  LaneSum<T> sum, square;
  for (std::int64_t r = 0; r < block.rows; ++r) {
    const T* piece = x + block.first + r * block.stride;
    for_chained_lanes<T>(block.length, [&]<class L>(std::int64_t i, int chain) BNLAB_INLINE_LAMBDA {
      const typename L::Value d = L::at(piece + i) - shift;
      sum.template add<L>(d, chain);
      square.template add<L>(d * d, chain);
    });
  }
  const std::int64_t count = block.rows * block.length;
  const double s = sum.total();
  const double m2 = square.total() - s * s / static_cast<double>(count);
  return {count, shift + s / static_cast<double>(count), m2 < 0 ? 0 : m2};
}

template <class T>
BNLAB_INLINE void run_moments(const Patch& patch, const T* x, double* mean, double* m2) noexcept {
  for (std::int64_t j = 0; j < patch.slots; ++j) {
    Moments all;
    for_blocks(patch, j,
               [&](const Block& block) BNLAB_INLINE_LAMBDA { all = merge(all, run_block_moments(block, x)); });
    mean[j] = all.mean;
    m2[j] = all.m2;
  }
}

template <class T>
BNLAB_INLINE void run_gradient_sums(const Patch& patch, const T* x, const T* dy, const T* center, double* sum_dy,
                                    double* sum_dy_x) noexcept {
  for (std::int64_t j = 0; j < patch.slots; ++j) {
    const T middle = center[j];
    double total = 0;
    double total_x = 0;
    for_blocks(patch, j, [&](const Block& block) BNLAB_INLINE_LAMBDA {
      LaneSum<T> sum, product;
      for (std::int64_t r = 0; r < block.rows; ++r) {
        const std::int64_t piece = block.first + r * block.stride;
        for_chained_lanes<T>(block.length, [&]<class L>(std::int64_t i, int chain) BNLAB_INLINE_LAMBDA {
          const typename L::Value g = L::at(dy + piece + i);
          sum.template add<L>(g, chain);
          product.template add<L>(g * (L::at(x + piece + i) - middle), chain);
        });
      }
      total += sum.total();
      total_x += product.total();
    });
    sum_dy[j] = total;
    sum_dy_x[j] = total_x;
  }
}

template <class T>
BNLAB_INLINE void run_affine(const Patch& patch, const T* x, const Affine<T>& factors, T* y) noexcept {
  for (std::int64_t j = 0; j < patch.slots; ++j) {
    const T center = factors.center[j], scale = factors.scale[j], offset = factors.offset[j];
    for (std::int64_t r = 0; r < patch.rows; ++r) {
      const std::int64_t piece = r * patch.row_stride + j * patch.run;
      for_lanes<T>(patch.run, [&]<class L>(std::int64_t i) BNLAB_INLINE_LAMBDA {
        L::at(y + piece + i) = (L::at(x + piece + i) - center) * scale + offset;
      });
    }
  }
}

template <class T>
BNLAB_INLINE void run_input_gradient(const Patch& patch, const T* x, const T* dy, const InputGradient<T>& factors,
                                     T* dx) noexcept {
  for (std::int64_t j = 0; j < patch.slots; ++j) {
    const T center = factors.center[j], scale = factors.scale[j], slope = factors.slope[j], offset = factors.offset[j];
    for (std::int64_t r = 0; r < patch.rows; ++r) {
      const std::int64_t piece = r * patch.row_stride + j * patch.run;
      for_lanes<T>(patch.run, [&]<class L>(std::int64_t i) BNLAB_INLINE_LAMBDA {
        const std::int64_t at = piece + i;
        L::at(dx + at) = L::at(dy + at) * scale + ((L::at(x + at) - center) * slope + offset);
      });
    }
  }
}

}  // namespace bnlab::kernels::inner
