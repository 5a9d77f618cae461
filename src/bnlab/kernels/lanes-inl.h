// Groups of neighbouring elements that are computed on together, and the bits of their ReLU mask.
// Included once for each instruction set (Highway's foreach_target.h).
#if defined(BNLAB_KERNELS_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNLAB_KERNELS_LANES_INL_H_
#undef BNLAB_KERNELS_LANES_INL_H_
#else
#define BNLAB_KERNELS_LANES_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "bnlab/kernels/element.h"

#ifndef BNLAB_INLINE_LAMBDA
#define BNLAB_INLINE_LAMBDA __attribute__((always_inline))
#endif

HWY_BEFORE_NAMESPACE();
namespace bnlab::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_AVX3
constexpr const char* kInstructionSet = "avx512";
#elif HWY_TARGET == HWY_AVX2
constexpr const char* kInstructionSet = "avx2";
#elif HWY_TARGET == HWY_SSE4
constexpr const char* kInstructionSet = "sse4";
#else
constexpr const char* kInstructionSet = "portable";
#endif

template <class D>
using V = hn::Vec<D>;

/// Lanes of a tag's vectors, and of a full vector.
template <class D>
inline constexpr auto kLanesOf = static_cast<std::int64_t>(hn::MaxLanes(D()));
template <class T>
inline constexpr std::int64_t kLanes = kLanesOf<hn::ScalableTag<T>>;

/// The elements at p, in the type of the arithmetic.
template <class D, class T>
HWY_INLINE V<D> load(D d, const T* p) {
  return hn::LoadU(d, p);
}

template <class D>
HWY_INLINE V<D> load(D d, const BFloat16* p) {
  const hn::Rebind<std::uint16_t, D> d16;
  const hn::Rebind<std::uint32_t, D> d32;
  const auto bits = hn::LoadU(d16, reinterpret_cast<const std::uint16_t*>(p));
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(d32, bits)));
}

template <class D, class T>
HWY_INLINE void store(D d, V<D> value, T* p) {
  hn::StoreU(value, d, p);
}

/// As the constructor of BFloat16.
template <class D>
HWY_INLINE void store(D, V<D> value, BFloat16* p) {
  const hn::Rebind<std::uint16_t, D> d16;
  const hn::Rebind<std::uint32_t, D> d32;
  const hn::Rebind<std::int32_t, D> i32;
  const auto bits = hn::BitCast(d32, value);
  const auto upper = hn::ShiftRight<16>(bits);
  const auto odd = hn::And(upper, hn::Set(d32, 1));
  const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(d32, 0x7fff))));
  const auto nan = hn::RebindMask(d32, hn::IsNaN(value));
  const auto result = hn::IfThenElse(nan, hn::Or(upper, hn::Set(d32, 0x40)), rounded);
  hn::StoreU(hn::DemoteTo(d16, hn::BitCast(i32, result)), d16, reinterpret_cast<std::uint16_t*>(p));
}

/// As store(), around the caches where the group fills a vector. Such p must be aligned to it.
template <bool kAround, class D, class T>
HWY_INLINE void store_around(D d, V<D> value, T* p) {
  if constexpr (kAround && std::is_same_v<T, hn::TFromD<D>> && kLanesOf<D> == kLanes<hn::TFromD<D>>) {
    hn::Stream(value, d, p);
  } else {
    store(d, value, p);
  }
}

/// Whether store_around() may be used for all full groups of lines that begin at p, p + step, ...
template <class T>
HWY_INLINE bool can_store_around(const T* p, std::int64_t step) {
  constexpr std::size_t kBytes = HWY_LANES(T) * sizeof(T);
  return reinterpret_cast<std::uintptr_t>(p) % kBytes == 0 && static_cast<std::size_t>(step) * sizeof(T) % kBytes == 0;
}
HWY_INLINE bool can_store_around(const BFloat16*, std::int64_t) {
  return false;
}

/// A line of a ReLU mask. A set bit stops the gradient: there z <= 0. Groups of a line are written in order.
template <class D>
HWY_INLINE void store_mask(D d, hn::Mask<D> mask, std::uint8_t* line, std::int64_t first) {
  if constexpr (kLanesOf<D> >= 8) {
    hn::StoreMaskBits(d, mask, line + first / 8);
  } else {
    std::uint8_t bits[8];
    hn::StoreMaskBits(d, mask, bits);
    std::uint8_t& byte = line[first / 8];
    const auto shifted = static_cast<std::uint8_t>(bits[0] << (first % 8));
    byte = first % 8 == 0 ? shifted : static_cast<std::uint8_t>(byte | shifted);
  }
}

template <class D>
HWY_INLINE hn::Mask<D> load_mask(D d, const std::uint8_t* line, std::int64_t first) {
  if constexpr (kLanesOf<D> >= 8) {
    return hn::LoadMaskBits(d, line + first / 8);
  } else {
    const std::uint8_t bits[8] = {static_cast<std::uint8_t>(line[first / 8] >> (first % 8))};
    return hn::LoadMaskBits(d, bits);
  }
}

/// value where the mask's bit is clear, else 0; value everywhere without a mask.
template <bool kMasked, class D>
HWY_INLINE V<D> let_through(D d, V<D> value, const std::uint8_t* line, std::int64_t first) {
  if constexpr (kMasked) {
    return hn::IfThenZeroElse(load_mask(d, line, first), value);
  } else {
    return value;
  }
}

/// Calls f(d, first) for groups of lanes that together cover begin ... end - 1, widest first.
template <class T, class F>
HWY_INLINE void for_lanes(std::int64_t begin, std::int64_t end, const F& f) {
  const hn::ScalableTag<T> full;
  const hn::CappedTag<T, 16 / sizeof(T)> quarter;
  const hn::CappedTag<T, 1> one;
  constexpr std::int64_t kQuarter = kLanesOf<decltype(quarter)>;
  std::int64_t i = begin;
  for (; i + kLanes<T> <= end; i += kLanes<T>) f(full, i);
  if constexpr (kLanes < T >> kQuarter) {
    for (; i + kQuarter <= end; i += kQuarter) f(quarter, i);
  }
  if constexpr (kQuarter > 1) {
    for (; i < end; ++i) f(one, i);
  }
}

/// The sum of a group's lanes. Adding halves keeps the sum of equal values exact.
template <class D>
HWY_INLINE hn::TFromD<D> sum_of_lanes(D, V<D> values) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (kLanesOf < D >> 1) {
    const hn::Half<D> half;
    return sum_of_lanes(half, hn::Add(hn::LowerHalf(half, values), hn::UpperHalf(half, values)));
  }
#endif
  return hn::GetLane(values);
}

/// The same of `count` values in memory, a power of two, in values[0]; the others are destroyed.
template <class T>
HWY_INLINE void sum_by_halves(T* values, std::int64_t count) {
  for (std::int64_t half = count / 2; half > 0; half /= 2) {
    for (std::int64_t i = 0; i < half; ++i) values[i] = values[i] + values[i + half];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace bnlab::kernels
HWY_AFTER_NAMESPACE();

#endif  // BNLAB_KERNELS_LANES_INL_H_
