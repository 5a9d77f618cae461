// Seeded random numbers that are the same on every machine and with every standard library.
//
// Random is splitmix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators"), whose n-th output
// is a function of its key and n alone. mix() derives independent keys, so that a stream belongs to a purpose and never
// to the order in which others drew. Normal numbers invert the distribution function with correctly rounded operations
// only (fma, division, square root), because log and cos of the C libraries differ in the last bit.
//
//     Random shuffle(mix(seed, "shuffle", epoch));
//     auto k = shuffle.below(10);
#pragma once
#include <concepts>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace bnlab {

/// splitmix64's output function, a bijection of 64-bit words whose every output bit depends on every input bit.
constexpr uint64_t scramble(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/// The key of the stream that `seed`, a purpose and any further indices (run, epoch, example …) name.
template <std::integral... Index>
constexpr uint64_t mix(uint64_t seed, std::string_view purpose, Index... index) {
  uint64_t name = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : purpose) {
    name = (name ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;
  uint64_t key = scramble(scramble(seed + kGolden) ^ name);
  ((key = scramble(key + kGolden) ^ static_cast<uint64_t>(index), key = scramble(key)), ...);
  return key;
}

/// The value at probability (bits / 4096 + 1/2) / 2^52 of the standard normal distribution: N(0,1) for random bits.
/// Accurate to about 1e-15; the same bits on every machine. Source: Wichura 1988, algorithm AS 241 (PPND16).
double normal_from_bits(uint64_t bits);

/// A stream of random numbers. Copying it copies its place in the stream.
class Random {
 public:
  explicit constexpr Random(uint64_t key) : state_(key) {}

  /// 64 random bits.
  constexpr uint64_t bits() { return scramble(state_ += 0x9e3779b97f4a7c15u); }

  /// Uniform on 0 .. n-1, without bias (Lemire 2019). n > 0.
  constexpr uint64_t below(uint64_t n) {
    const uint64_t biased = (0 - n) % n;
    while (true) {
      const auto product = static_cast<unsigned __int128>(bits()) * n;
      if (static_cast<uint64_t>(product) >= biased) {
        return static_cast<uint64_t>(product >> 64);
      }
    }
  }

  /// Uniform on [0, 1), a multiple of 2^-53.
  constexpr double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

  /// Normal with mean 0 and variance 1.
  double normal() { return normal_from_bits(bits()); }

 private:
  uint64_t state_;
};

/// A uniformly random order of 0 .. n-1 (Fisher-Yates), a function of n and key.
inline std::vector<int64_t> random_permutation(int64_t n, uint64_t key) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    order[i] = i;
  }
  Random random(key);
  for (int64_t i = n - 1; i > 0; --i) {
    std::swap(order[i], order[random.below(static_cast<uint64_t>(i) + 1)]);
  }
  return order;
}

}  // namespace bnlab
