// Numbers of 16 bits: the type itself against closed forms, and what every instruction set makes of it against the
// type.
#include "bnlab/kernels/element.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "bnlab/kernels/loops.h"
#include "tests/kernels/values.h"

namespace bnlab::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class E>
class NarrowElement : public testing::Test {
 public:
  static constexpr bool kIsFloat16 = std::is_same_v<E, Float16>;
  static constexpr int kInfinityBits = kIsFloat16 ? 0x7c00 : 0x7f80;
  static constexpr int kFractionBits = kIsFloat16 ? 10 : 7;
  static constexpr int kLeastExponent = kIsFloat16 ? -24 : -133;  // of the smallest denormal

  static E of_bits(int bits) {
    E result;
    result.bits = static_cast<std::uint16_t>(bits);
    return result;
  }

  /// What 0 <= bits < kInfinityBits stand for.
  static float value(int bits) {
    const int exponent = bits >> kFractionBits, fraction = bits - (exponent << kFractionBits);
    if (exponent == 0) return std::ldexp(static_cast<float>(fraction), kLeastExponent);
    return std::ldexp(static_cast<float>(fraction + (1 << kFractionBits)), kLeastExponent + exponent - 1);
  }

  /// Half way to the next number; behind the largest, to the one that would follow it.
  static float tie(int bits) {
    const int below = bits + 1 < kInfinityBits ? bits : bits - 1;
    return value(bits) + (value(below + 1) - value(below)) / 2;
  }

  /// NaN in all parts of a fraction.
  static std::vector<float> nans() {
    std::vector<float> all;
    for (const std::uint32_t bits : {0x7f800001U, 0x7f801fffU, 0x7f802000U, 0x7fc00000U, 0x7fffffffU}) {
      for (const std::uint32_t sign : {0U, 0x80000000U}) all.push_back(std::bit_cast<float>(sign | bits));
    }
    return all;
  }

  /// All numbers, all ties and what lies beside them, the least and most of float, infinities and NaN.
  static std::vector<float> floats() {
    std::vector<float> all = nans();
    const auto add = [&](float each) { all.insert(all.end(), {each, -each}); };
    for (const float each : {kInfinity, std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min()}) {
      add(each);
    }
    for (int bits = 0; bits < kInfinityBits; ++bits) {
      add(value(bits));
      add(std::nextafter(tie(bits), 0.0F));
      add(tie(bits));
      add(std::nextafter(tie(bits), kInfinity));
    }
    return all;
  }

  /// As one loop's calls see them: alone, in a quarter of a vector, in whole ones.
  static std::vector<std::size_t> group_sizes() { return {1, 4, 1 << 20}; }

  /// Calls f(first, patch) for a row of single elements at a time.
  template <class F>
  static void for_groups(std::size_t count, std::size_t size, const F& f) {
    for (std::size_t first = 0; first < count; first += size) {
      const auto slots = static_cast<std::int64_t>(std::min(size, count - first));
      f(first, Patch{.row_stride = slots, .rows = 1, .slots = slots});
    }
  }
};
using NarrowElements = testing::Types<BFloat16, Float16>;
TYPED_TEST_SUITE(NarrowElement, NarrowElements);

TYPED_TEST(NarrowElement, EveryValueIsThatOfTheFormat) {
  for (int bits = 0; bits < this->kInfinityBits; ++bits) {
    ASSERT_EQ(static_cast<float>(this->of_bits(bits)), this->value(bits)) << bits;
    ASSERT_EQ(static_cast<double>(this->of_bits(0x8000 | bits)), -static_cast<double>(this->value(bits))) << bits;
  }
  EXPECT_EQ(static_cast<float>(this->of_bits(this->kInfinityBits)), kInfinity);
  EXPECT_EQ(static_cast<float>(this->of_bits(0x8000 | this->kInfinityBits)), -kInfinity);
  for (int bits = this->kInfinityBits + 1; bits < 0x8000; ++bits) {
    ASSERT_TRUE(std::isnan(static_cast<float>(this->of_bits(bits)))) << bits;
    ASSERT_TRUE(std::isnan(static_cast<float>(this->of_bits(0x8000 | bits)))) << bits;
  }
}

TYPED_TEST(NarrowElement, EveryValueStaysItself) {
  for (int bits = 0; bits < 0x10000; ++bits) {
    const TypeParam value = this->of_bits(bits), again{static_cast<float>(value)};
    if (std::isnan(static_cast<float>(value))) {
      ASSERT_TRUE(std::isnan(static_cast<float>(again))) << bits;
    } else {
      ASSERT_EQ(again.bits, value.bits);
    }
  }
}

TYPED_TEST(NarrowElement, RoundsToTheNearestAndTiesToEven) {
  for (int bits = 0; bits < this->kInfinityBits; ++bits) {
    const float tie = this->tie(bits);
    for (const int sign : {0, 0x8000}) {
      const auto rounded = [&](float value) { return TypeParam(sign ? -value : value).bits; };
      ASSERT_EQ(rounded(tie), sign | (bits + bits % 2));
      ASSERT_EQ(rounded(std::nextafter(tie, 0.0F)), sign | bits);
      ASSERT_EQ(rounded(std::nextafter(tie, kInfinity)), sign | (bits + 1));
    }
  }
}

TYPED_TEST(NarrowElement, TheLargestThatBecomesZeroIsNamed) {
  EXPECT_EQ(kStoredAsZero<TypeParam>, this->tie(0));
  EXPECT_EQ(TypeParam(kStoredAsZero<TypeParam>).bits, 0);
  EXPECT_EQ(TypeParam(std::nextafter(kStoredAsZero<TypeParam>, 1.0F)).bits, 1);
}

TYPED_TEST(NarrowElement, KeepsInfinitiesAndNans) {
  EXPECT_EQ(static_cast<float>(TypeParam(kInfinity)), kInfinity);
  EXPECT_EQ(static_cast<float>(TypeParam(-kInfinity)), -kInfinity);
  EXPECT_EQ(static_cast<float>(TypeParam(std::numeric_limits<float>::max())), kInfinity);
  for (const float nan : this->nans()) EXPECT_TRUE(std::isnan(static_cast<float>(TypeParam(nan))));
}

TEST(Float16, EndsAt65504) {
  EXPECT_EQ(static_cast<float>(Float16(65504)), 65504);
  EXPECT_EQ(static_cast<float>(Float16(std::nextafter(65520.0F, 0.0F))), 65504);
  EXPECT_EQ(static_cast<float>(Float16(65520)), kInfinity);
  EXPECT_EQ(static_cast<float>(Float16(0x1p-25F)), 0);
  EXPECT_EQ(static_cast<float>(Float16(0x1.8p-24F)), 0x1p-23F);
}

// A sum of one element is the element as it was read.
TYPED_TEST(NarrowElement, EveryInstructionSetReadsEveryValue) {
  Values<TypeParam> all(0x10000);
  Values<float> center(0x10000);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = this->of_bits(static_cast<int>(i));
  for (const Loops<TypeParam>* loops : supported_loops<TypeParam>()) {
    for (const std::size_t size : this->group_sizes()) {
      Values<double> found(0x10000), of_x(0x10000);
      this->for_groups(all.size(), size, [&](std::size_t first, const Patch& patch) {
        loops->gradient_sums(patch, {.x = all.data() + first,
                                     .dy = all.data() + first,
                                     .center = center.data() + first,
                                     .sum_dz = found.data() + first,
                                     .sum_dz_x = of_x.data() + first});
      });
      for (std::size_t i = 0; i < all.size(); ++i) {
        const auto expected = static_cast<double>(all[i]);
        ASSERT_TRUE(found[i] == expected || (std::isnan(found[i]) && std::isnan(expected)))
            << loops->instruction_set << " in groups of " << size << ": " << i << " is " << found[i];
      }
    }
  }
}

// y = (1 - 0)*value + -0
TYPED_TEST(NarrowElement, EveryInstructionSetRoundsAsTheType) {
  const std::vector<float> all = this->floats();
  const auto count = static_cast<std::int64_t>(all.size());
  Values<TypeParam> x(count), y(count);
  Values<float> zeros(count), factors(count), minus_zeros(count);
  for (std::size_t i = 0; i < all.size(); ++i) {
    x[i] = TypeParam(1);
    factors[i] = all[i];
    minus_zeros[i] = -0.0F;
  }
  for (const Loops<TypeParam>* loops : supported_loops<TypeParam>()) {
    for (const std::size_t size : this->group_sizes()) {
      this->for_groups(all.size(), size, [&](std::size_t first, const Patch& patch) {
        loops->normalize(patch, {.x = x.data() + first,
                                 .a = {{zeros.data() + first, factors.data() + first, minus_zeros.data() + first}},
                                 .y = y.data() + first});
      });
      for (std::size_t i = 0; i < all.size(); ++i) {
        const TypeParam expected(all[i]);
        ASSERT_TRUE(y[i].bits == expected.bits || (std::isnan(all[i]) && std::isnan(static_cast<float>(y[i]))))
            << loops->instruction_set << " in groups of " << size << ": " << all[i] << " gives " << y[i].bits
            << ", expected " << expected.bits;
      }
      ASSERT_TRUE(y.guarded());
    }
  }
}

}  // namespace
}  // namespace bnlab::kernels
