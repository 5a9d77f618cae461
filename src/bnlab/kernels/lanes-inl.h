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

// The bits of numbers of 16 bits, in lanes of 32.
template <class D>
using Bits = V<hn::Rebind<std::uint32_t, D>>;

template <class D>
HWY_INLINE Bits<D> widened(D, Bits<D> bits, BFloat16Format) {
  return hn::ShiftLeft<16>(bits);
}

/// As BFloat16Format::round().
template <class D>
HWY_INLINE Bits<D> rounded(D, V<D> value, BFloat16Format) {
  const hn::Rebind<std::uint32_t, D> d32;
  const auto bits = hn::BitCast(d32, value);
  const auto upper = hn::ShiftRight<16>(bits);
  const auto odd = hn::And(upper, hn::Set(d32, 1));
  const auto number = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(d32, 0x7fff))));
  const auto nan = hn::Or(upper, hn::Set(d32, 0x40));
  return hn::IfThenElse(hn::RebindMask(d32, hn::IsNaN(value)), nan, number);
}

/// As Float16Format::widen().
template <class D>
HWY_INLINE Bits<D> widened(D d, Bits<D> bits, Float16Format) {
  using F = Float16Format;
  const hn::Rebind<std::uint32_t, D> d32;
  const hn::Rebind<std::int32_t, D> i32;
  const auto magnitude = hn::And(bits, hn::Set(d32, 0x7fff));
  const auto sign = hn::ShiftLeft<16>(hn::Xor(bits, magnitude));
  const auto is_finite = hn::Lt(hn::BitCast(i32, magnitude), hn::Set(i32, 0x7c00));
  const auto is_normal = hn::Gt(hn::BitCast(i32, magnitude), hn::Set(i32, 0x3ff));
  const auto exponents =
      hn::IfThenElse(hn::RebindMask(d32, is_finite), hn::Set(d32, F::kExponents), hn::Set(d32, 2 * F::kExponents));
  const auto normal = hn::Add(hn::ShiftLeft<13>(magnitude), exponents);
  const auto small = hn::Mul(hn::ConvertTo(d, hn::BitCast(i32, magnitude)), hn::Set(d, 0x1p-24F));
  return hn::Or(sign, hn::IfThenElse(hn::RebindMask(d32, is_normal), normal, hn::BitCast(d32, small)));
}

/// As Float16Format::round().
template <class D>
HWY_INLINE Bits<D> rounded(D d, V<D> value, Float16Format) {
  using F = Float16Format;
  const hn::Rebind<std::uint32_t, D> d32;
  const auto bits = hn::BitCast(d32, value), magnitude = hn::And(bits, hn::Set(d32, 0x7fffffff));
  const auto sign = hn::ShiftRight<16>(hn::Xor(bits, magnitude));
  const auto most = hn::Min(magnitude, hn::Set(d32, F::kBeyond));
  const auto odd = hn::And(hn::ShiftRight<13>(most), hn::Set(d32, 1));
  const auto normal = hn::ShiftRight<13>(hn::Add(most, hn::Add(odd, hn::Set(d32, 0xfff - F::kExponents))));
  const auto with_half = hn::BitCast(d32, hn::Add(hn::BitCast(d, magnitude), hn::Set(d, 0.5F)));
  const auto small = hn::Sub(with_half, hn::Set(d32, F::kHalf));
  const auto is_small = hn::Lt(hn::BitCast(d, magnitude), hn::BitCast(d, hn::Set(d32, F::kLeastNormal)));
  const auto number = hn::IfThenElse(hn::RebindMask(d32, is_small), small, normal);
  const auto fraction = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(d32, 0x3ff));
  const auto nan = hn::Or(fraction, hn::Set(d32, 0x7e00));
  return hn::Or(sign, hn::IfThenElse(hn::RebindMask(d32, hn::IsNaN(value)), nan, number));
}

/// The elements at p, in the type of the arithmetic.
template <class D, class T>
HWY_INLINE V<D> load(D d, const T* p) {
  return hn::LoadU(d, p);
}

template <class D, class Format>
HWY_INLINE V<D> load(D d, const Narrow<Format>* p) {
  const hn::Rebind<std::uint16_t, D> d16;
  const hn::Rebind<std::uint32_t, D> d32;
  const auto bits = hn::LoadU(d16, reinterpret_cast<const std::uint16_t*>(p));
  return hn::BitCast(d, widened(d, hn::PromoteTo(d32, bits), Format()));
}

template <class D, class T>
HWY_INLINE void store(D d, V<D> value, T* p) {
  hn::StoreU(value, d, p);
}

template <class D, class Format>
HWY_INLINE void store(D d, V<D> value, Narrow<Format>* p) {
  const hn::Rebind<std::uint16_t, D> d16;
  const hn::Rebind<std::int32_t, D> i32;
  const auto bits = hn::BitCast(i32, rounded(d, value, Format()));
  hn::StoreU(hn::DemoteTo(d16, bits), d16, reinterpret_cast<std::uint16_t*>(p));
}

// Where the processor converts binary16. Highway's own code for the others truncates (1.0) or differs by version.
#if (HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3) && !defined(HWY_DISABLE_F16C)
template <class D>
HWY_INLINE V<D> load(D d, const Float16* p) {
  const hn::Rebind<hwy::float16_t, D> d16;
  return hn::PromoteTo(d, hn::LoadU(d16, reinterpret_cast<const hwy::float16_t*>(p)));
}

template <class D>
HWY_INLINE void store(D, V<D> value, Float16* p) {
  const hn::Rebind<hwy::float16_t, D> d16;
  hn::StoreU(hn::DemoteTo(d16, value), d16, reinterpret_cast<hwy::float16_t*>(p));
}
#endif

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
template <class Format>
HWY_INLINE bool can_store_around(const Narrow<Format>*, std::int64_t) {
  return false;
}

/// A line of a ReLU mask. A set bit stops the gradient: there z, as it is stored, is <= 0. Groups of a line
/// are written in order.
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
