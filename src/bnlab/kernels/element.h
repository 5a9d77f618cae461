// The types that batches are stored in, and those that they are computed in.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace bnlab::kernels {

/// A number of 16 bits in a `Format`. A batch stored so is computed in float and rounded to nearest, ties to even, at
/// the end. NaN stays NaN; what is beyond the format's largest number becomes infinite.
template <class Format>
struct Narrow {
  std::uint16_t bits = 0;

  Narrow() = default;
  explicit Narrow(float value) noexcept
      : bits(static_cast<std::uint16_t>(Format::round(std::bit_cast<std::uint32_t>(value)))) {}
  explicit operator float() const noexcept { return std::bit_cast<float>(Format::widen(bits)); }
  explicit operator double() const noexcept { return static_cast<double>(static_cast<float>(*this)); }
};

/// The upper half of a float.
struct BFloat16Format {
  static constexpr float kToZero = 0x1p-134F;  ///< the largest that is rounded to 0

  static constexpr std::uint32_t widen(std::uint32_t bits) noexcept { return bits << 16; }
  static constexpr std::uint32_t round(std::uint32_t f) noexcept {
    if ((f & 0x7fffffffu) > 0x7f800000u) return f >> 16 | 0x40;
    return (f + 0x7fffu + (f >> 16 & 1)) >> 16;
  }
};

/// IEEE 754's binary16: 5 bits of exponent, 10 of fraction; up to 65504, steps of 2^-24 below 2^-14.
struct Float16Format {
  static constexpr float kToZero = 0x1p-25F;

  static constexpr std::uint32_t widen(std::uint32_t bits) noexcept {
    const std::uint32_t sign = (bits & 0x8000u) << 16, magnitude = bits & 0x7fffu;
    if (magnitude < 0x400u) return sign | std::bit_cast<std::uint32_t>(static_cast<float>(magnitude) * 0x1p-24F);
    return sign | ((magnitude << 13) + (magnitude < 0x7c00u ? kExponents : 2 * kExponents));
  }
  static constexpr std::uint32_t round(std::uint32_t f) noexcept {
    const std::uint32_t sign = f >> 16 & 0x8000u, magnitude = f & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return sign | 0x7e00u | (magnitude >> 13 & 0x3ffu);
    if (magnitude < kLeastNormal) {  // the sum with 1/2 is rounded to steps of 2^-24
      return sign | (std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - kHalf);
    }
    const std::uint32_t most = std::min(magnitude, kBeyond);
    return sign | ((most - kExponents + 0xfffu + (most >> 13 & 1)) >> 13);
  }

  static constexpr std::uint32_t kExponents = 112u << 23;    ///< a float's bias less a binary16's
  static constexpr std::uint32_t kLeastNormal = 113u << 23;  ///< 2^-14
  static constexpr std::uint32_t kHalf = 126u << 23;         ///< 1/2
  static constexpr std::uint32_t kBeyond = 143u << 23;       ///< 2^16, which becomes infinite
};

using BFloat16 = Narrow<BFloat16Format>;
using Float16 = Narrow<Float16Format>;

/// The largest number that becomes 0 where it is stored as E.
template <class E>
inline constexpr E kStoredAsZero = 0;
template <class Format>
inline constexpr float kStoredAsZero<Narrow<Format>> = Format::kToZero;

/// Compute<E>: the type of gamma, beta and all arithmetic on elements of type E. Statistics are double for every E.
template <class E>
struct ComputeOf {
  using Type = E;
};
template <class Format>
struct ComputeOf<Narrow<Format>> {
  using Type = float;
};
template <class E>
using Compute = typename ComputeOf<E>::Type;

}  // namespace bnlab::kernels
