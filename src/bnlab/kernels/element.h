// The types that batches are stored in, and those that they are computed in.
#pragma once

#include <bit>
#include <cstdint>

namespace bnlab::kernels {

/// The upper half of a float. A batch stored so is computed in float and rounded to nearest, ties to even.
struct BFloat16 {
  std::uint16_t bits = 0;

  BFloat16() = default;
  explicit BFloat16(float value) noexcept : bits(round(std::bit_cast<std::uint32_t>(value))) {}
  explicit operator float() const noexcept { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
  explicit operator double() const noexcept { return static_cast<double>(static_cast<float>(*this)); }

 private:
  static constexpr std::uint16_t round(std::uint32_t f) noexcept {
    if ((f & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>(f >> 16 | 0x40);  // NaN stays NaN
    return static_cast<std::uint16_t>((f + 0x7fffu + (f >> 16 & 1)) >> 16);
  }
};

/// Compute<E>: the type of gamma, beta and all arithmetic on elements of type E. Statistics are double for every E.
template <class E>
struct ComputeOf {
  using Type = E;
};
template <>
struct ComputeOf<BFloat16> {
  using Type = float;
};
template <class E>
using Compute = typename ComputeOf<E>::Type;

}  // namespace bnlab::kernels
