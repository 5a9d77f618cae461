// Groups of neighbouring elements that are computed on together: compiler vectors of one size whatever the instruction
// set (it splits them as needed), and single elements for what is left over.
#pragma once

#include <cstddef>
#include <cstdint>

#define BNLAB_INLINE [[gnu::always_inline]] inline
#define BNLAB_INLINE_LAMBDA __attribute__((always_inline))

namespace bnlab::kernels::inner {

template <class Element, std::size_t kBytes>
struct Vector;

#define BNLAB_VECTOR(ELEMENT, BYTES)                                                                 \
  template <>                                                                                        \
  struct Vector<ELEMENT, BYTES> {                                                                    \
    typedef ELEMENT Value __attribute__((vector_size(BYTES)));                                       \
    typedef ELEMENT Memory __attribute__((vector_size(BYTES), aligned(sizeof(ELEMENT)), may_alias)); \
  };
BNLAB_VECTOR(float, 64)
BNLAB_VECTOR(float, 16)
BNLAB_VECTOR(double, 64)
BNLAB_VECTOR(double, 16)
#undef BNLAB_VECTOR

template <>
struct Vector<float, sizeof(float)> {
  using Value = float;
  using Memory = float;
};

template <>
struct Vector<double, sizeof(double)> {
  using Value = double;
  using Memory = double;
};

/// kBytes of neighbouring elements.
template <class Element, std::size_t kBytes>
struct Lanes {
  using T = Element;
  using Value = typename Vector<T, kBytes>::Value;
  using Memory = typename Vector<T, kBytes>::Memory;
  static constexpr int kCount = kBytes / sizeof(T);

  /// The elements at p, as a reference: passing vectors by value would depend on the instruction set.
  BNLAB_INLINE static const Memory& at(const T* p) noexcept { return *reinterpret_cast<const Memory*>(p); }
  BNLAB_INLINE static Memory& at(T* p) noexcept { return *reinterpret_cast<Memory*>(p); }
};

template <class T>
using FullLanes = Lanes<T, 64>;
template <class T>
using QuarterLanes = Lanes<T, 16>;
template <class T>
using OneLane = Lanes<T, sizeof(T)>;

/// Calls f.template operator()<L>(first) for groups of lanes that together cover 0 … count - 1, widest first.
template <class T, class F>
BNLAB_INLINE void for_lanes(std::int64_t count, const F& f) noexcept {
  std::int64_t i = 0;
  for (; i + FullLanes<T>::kCount <= count; i += FullLanes<T>::kCount) f.template operator()<FullLanes<T>>(i);
  for (; i + QuarterLanes<T>::kCount <= count; i += QuarterLanes<T>::kCount) f.template operator()<QuarterLanes<T>>(i);
  for (; i < count; ++i) f.template operator()<OneLane<T>>(i);
}

/// values[0] = the sum of `count` values, a power of two; the others are destroyed. Adding halves keeps the sum of
/// equal values exact.
template <class V>
BNLAB_INLINE void sum_by_halves(V* values, std::int64_t count) noexcept {
  for (std::int64_t half = count / 2; half > 0; half /= 2) {
    for (std::int64_t i = 0; i < half; ++i) values[i] = values[i] + values[i + half];
  }
}

}  // namespace bnlab::kernels::inner
