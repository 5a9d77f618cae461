// What the bytes of a fuzzer mean: a shape, options, and a kind of values for each channel.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

#include "tests/kernels/batch_case.h"

namespace bnlab::kernels::fuzz {

/// The bytes, one after the other; zeros beyond their end.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : next_(data), end_(data + size) {}

  std::uint8_t byte() { return next_ == end_ ? std::uint8_t{0} : *next_++; }
  bool flag() { return byte() % 2 != 0; }
  template <class V, std::size_t K>
  V one_of(const V (&values)[K]) {
    return values[byte() % K];
  }

 private:
  const std::uint8_t* next_;
  const std::uint8_t* end_;
};

/// A shape of at most a few ten thousand elements, with sizes around vectors and blocks, or any.
inline Shape shape_of(Bytes& bytes) {
  constexpr std::int64_t kSizes[] = {1,  2,  3,  4,  7,   8,   9,   15,  16,   17,  31,
                                     33, 64, 65, 70, 128, 130, 300, 520, 1030, 4100};
  const auto size = [&] {
    const std::uint8_t choice = bytes.byte();
    return choice < 128 ? kSizes[choice % std::size(kSizes)] : choice - std::int64_t{127};
  };
  Shape shape{.n = size(), .c = size(), .s = size()};
  shape.layout = bytes.flag() ? Layout::kChannelsLast : Layout::kChannelsFirst;
  constexpr std::int64_t kMost = 16384;
  shape.c = std::min<std::int64_t>(shape.c, 600);
  shape.s = std::max<std::int64_t>(std::min(shape.s, kMost / shape.c), 1);
  shape.n = std::max<std::int64_t>(std::min(shape.n, kMost / (shape.c * shape.s)), 1);
  return shape;
}

enum class Kind : std::uint8_t {
  kNormal,
  kConstant,
  kLargeMean,
  kHuge,
  kSmall,
  kDenormal,
  kIntegers,
  kTwoValues,
  kManyScales,
  kZeros,
  kOneNan,
  kOneInfinity,
  kManySpecial,
  kBeyondRange,
  kCount,
};

/// Values of a kind; T is the type of the arithmetic.
template <class T>
class Source {
 public:
  Source(Kind kind, unsigned seed) : kind_(kind), random_(seed), level_(normal_(random_)) {}

  /// Element i of `count`.
  double operator()(std::int64_t i, std::int64_t count) {
    const double normal = normal_(random_);
    const auto number = static_cast<int>(random_() % 1000);
    switch (kind_) {
      case Kind::kConstant:
        return level_ * 1234;
      case Kind::kLargeMean:
        return std::copysign(std::pow(10, 2 + 5 * std::abs(std::fmod(level_, 1))), level_) + normal;
      case Kind::kHuge:
        return normal * kHuge;
      case Kind::kBeyondRange:
        return normal * kBeyondRange;
      case Kind::kSmall:
        return normal * 1e-12;
      case Kind::kDenormal:
        return (number - 500) * static_cast<double>(std::numeric_limits<T>::denorm_min());
      case Kind::kIntegers:
        return number % 17 - 8;
      case Kind::kTwoValues:
        return number % 2 ? level_ : -3 * level_;
      case Kind::kManyScales:
        return std::ldexp(normal, number % 40 - 20);
      case Kind::kZeros:
        return number % 8 ? (number % 2 ? 0.0 : -0.0) : normal;
      case Kind::kOneNan:
        return i == count / 2 ? std::numeric_limits<double>::quiet_NaN() : normal;
      case Kind::kOneInfinity:
        return i == count / 3 ? std::copysign(std::numeric_limits<double>::infinity(), level_) : normal;
      case Kind::kManySpecial:
        return number % 5 == 0   ? std::numeric_limits<double>::quiet_NaN()
               : number % 5 == 1 ? std::copysign(std::numeric_limits<double>::infinity(), normal)
                                 : normal;
      default:
        return normal;
    }
  }

 private:
  static constexpr double kHuge = sizeof(T) == 8 ? 1e118 : 2e11;         // near the end of the range
  static constexpr double kBeyondRange = sizeof(T) == 8 ? 1e160 : 1e19;  // squares overflow
  Kind kind_;
  std::mt19937 random_;
  std::normal_distribution<double> normal_;
  double level_;
};

/// Fills an array of elements or of channels with a kind for each channel, chosen by the bytes.
template <class T, class V>
void fill_elements(Bytes& bytes, const oracle::Batch& places, Values<V>& values) {
  const std::uint8_t common = bytes.byte(), seed = bytes.byte();
  for (std::int64_t c = 0; c < places.c; ++c) {
    // Three channels out of four have the common kind.
    const auto kind = static_cast<Kind>((c % 4 == 3 ? bytes.byte() : common) % static_cast<int>(Kind::kCount));
    Source<T> source(kind, seed * 1000U + static_cast<unsigned>(c));
    std::int64_t i = 0;
    oracle::for_channel(places, c,
                        [&](std::size_t at) { values[at] = static_cast<V>(source(i++, places.n * places.s)); });
  }
}

/// Factors of a channel: mostly of order one.
template <class T>
void fill_channels(Bytes& bytes, Values<T>& values) {
  std::mt19937 random(bytes.byte());
  const double scale = bytes.one_of({1.0, 1.0, 1.0, 0.0, 1e-6, 1e6});
  for (std::size_t c = 0; c < values.size(); ++c) {
    values[c] = static_cast<T>(scale * std::normal_distribution<double>()(random));
  }
}

}  // namespace bnlab::kernels::fuzz
