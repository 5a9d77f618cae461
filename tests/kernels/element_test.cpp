#include "bnlab/kernels/element.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace bnlab::kernels {
namespace {

BFloat16 of_bits(int bits) {
  BFloat16 result;
  result.bits = static_cast<std::uint16_t>(bits);
  return result;
}

TEST(BFloat16, EveryValueStaysItself) {
  for (int bits = 0; bits < 0x10000; ++bits) {
    const BFloat16 value = of_bits(bits);
    const BFloat16 again{static_cast<float>(value)};
    if (std::isnan(static_cast<float>(value))) {
      EXPECT_TRUE(std::isnan(static_cast<float>(again)));
    } else {
      EXPECT_EQ(again.bits, value.bits);
    }
  }
}

TEST(BFloat16, RoundsToTheNearestAndTiesToEven) {
  for (int bits = 0; bits < 0x7f7f; ++bits) {
    const float below = static_cast<float>(of_bits(bits)), above = static_cast<float>(of_bits(bits + 1));
    const float middle = below + (above - below) / 2;
    EXPECT_EQ(BFloat16(middle).bits, bits + bits % 2);
    EXPECT_EQ(BFloat16(std::nextafter(middle, below)).bits, bits);
    EXPECT_EQ(BFloat16(std::nextafter(middle, above)).bits, bits + 1);
    EXPECT_EQ(BFloat16(-std::nextafter(middle, above)).bits, 0x8000 + bits + 1);
  }
}

TEST(BFloat16, KeepsInfinitiesAndNans) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(static_cast<float>(BFloat16(kInfinity)), kInfinity);
  EXPECT_EQ(static_cast<float>(BFloat16(-kInfinity)), -kInfinity);
  EXPECT_EQ(static_cast<float>(BFloat16(std::numeric_limits<float>::max())), kInfinity);
  for (const std::uint32_t bits : {0x7f800001U, 0x7fffffffU, 0xff800001U, 0xffffffffU}) {
    EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(std::bit_cast<float>(bits)))));
  }
}

}  // namespace
}  // namespace bnlab::kernels
