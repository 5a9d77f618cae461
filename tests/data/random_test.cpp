#include "bnlab/data/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <set>

namespace bnlab {
namespace {

TEST(Random, IsSplitmix64) {  // Published outputs for the states 0 and 1234567.
  Random zero(0), other(1234567);
  EXPECT_EQ(zero.bits(), 0xe220a8397b1dcdafu);
  EXPECT_EQ(zero.bits(), 0x6e789e6aa1b965f4u);
  EXPECT_EQ(zero.bits(), 0x06c45d188009454fu);
  EXPECT_EQ(other.bits(), 6457827717110365317u);
  EXPECT_EQ(other.bits(), 3203168211198807973u);
}

TEST(Random, MixSeparatesSeedsPurposesAndIndices) {
  std::set<uint64_t> keys;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    for (const char* purpose : {"", "a", "b", "ab"}) {
      keys.insert(mix(seed, purpose));
      for (int i = 0; i < 10; ++i) {
        keys.insert(mix(seed, purpose, i));
        for (int j = 0; j < 10; ++j) {
          keys.insert(mix(seed, purpose, i, j));
        }
      }
    }
  }
  EXPECT_EQ(keys.size(), 10u * 4 * (1 + 10 + 100));
}

TEST(Random, BelowIsUniform) {
  constexpr int kDraws = 90000;
  std::vector<int> counts(9);
  Random random(5);
  for (int i = 0; i < kDraws; ++i) {
    ++counts.at(random.below(9));
  }
  double chi_squared = 0.0;
  for (const int count : counts) {
    chi_squared += std::pow(count - kDraws / 9.0, 2) / (kDraws / 9.0);
  }
  EXPECT_LT(chi_squared, 26.1);  // 8 degrees of freedom, p = 0.001
  EXPECT_GT(chi_squared, 0.85);
}

TEST(Random, BelowRejectsWhatWouldBeBiased) {  // For n = 2^63 + 1 nearly every second draw must be rejected.
  constexpr uint64_t n = (uint64_t{1} << 63) + 1;
  Random random(3), raw(3);
  int raw_draws = 0;
  for (int i = 0; i < 1000; ++i) {
    const uint64_t value = random.below(n);
    EXPECT_LT(value, n);
    bool accepted = false;
    while (!accepted) {
      const auto product = static_cast<unsigned __int128>(raw.bits()) * n;
      ++raw_draws;
      accepted = static_cast<uint64_t>(product) >= (uint64_t{1} << 63) - 1;  // 2^64 mod n
    }
  }
  EXPECT_GT(raw_draws, 1800);
  EXPECT_LT(raw_draws, 2200);
  EXPECT_EQ(random.bits(), raw.bits());
}

TEST(Random, UniformIsInRangeWithTheRightMoments) {
  Random random(11);
  double sum = 0.0, squares = 0.0;
  for (int i = 0; i < 100000; ++i) {
    const double u = random.uniform();
    ASSERT_TRUE(u >= 0.0 && u < 1.0);
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / 1e5, 0.5, 0.004);
  EXPECT_NEAR(squares / 1e5, 1.0 / 3.0, 0.004);
}

TEST(Random, NormalInvertsTheDistributionFunction) {
  for (int k = 0; k < 20000; ++k) {  // All of (0,1), and the lower tail to 2^-53.
    const uint64_t bits = k < 10000 ? (~uint64_t{0} / 10000) * k + 12345 : (~uint64_t{0} >> 1) >> (k % 52);
    const double p = (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52;
    const double x = normal_from_bits(bits);
    const double back = 0.5 * std::erfc(-x / std::sqrt(2.0));
    ASSERT_LE(std::fabs(back / p - 1.0), 3e-14) << "p = " << p;
  }
}

TEST(Random, NormalIsFiniteAndSymmetricAtTheEnds) {
  EXPECT_NEAR(normal_from_bits(0), -8.2095361516, 1e-8);
  EXPECT_EQ(normal_from_bits(~uint64_t{0}), -normal_from_bits(0));
}

TEST(Random, NormalBitsArePinned) {  // Other machines and libraries must give these too: data digests depend on them.
  Random random(2024);
  EXPECT_EQ(std::bit_cast<uint64_t>(random.normal()), 4599305662847199460u);
  EXPECT_EQ(std::bit_cast<uint64_t>(random.normal()), 13831894216140629493u);
  EXPECT_EQ(std::bit_cast<uint64_t>(normal_from_bits(uint64_t{1} << 60)), 13832959920739310265u);
  EXPECT_EQ(std::bit_cast<uint64_t>(normal_from_bits(0)), 13844183212903688785u);
}

TEST(Random, NormalHasTheRightMoments) {
  Random random(7);
  double sum = 0.0, squares = 0.0, fourth = 0.0;
  for (int i = 0; i < 200000; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  EXPECT_NEAR(sum / 2e5, 0.0, 0.01);
  EXPECT_NEAR(squares / 2e5, 1.0, 0.015);
  EXPECT_NEAR(fourth / 2e5, 3.0, 0.1);
}

TEST(RandomPermutation, HoldsEachIndexOnce) {
  for (const int64_t n : {0, 1, 2, 1000}) {
    auto order = random_permutation(n, 9);
    std::sort(order.begin(), order.end());
    ASSERT_EQ(static_cast<int64_t>(order.size()), n);
    for (int64_t i = 0; i < n; ++i) {
      ASSERT_EQ(order[i], i);
    }
  }
}

TEST(RandomPermutation, AllOrdersAreEquallyLikely) {
  std::map<std::vector<int64_t>, int> counts;
  for (uint64_t key = 0; key < 24000; ++key) {
    ++counts[random_permutation(4, mix(key, "order"))];
  }
  ASSERT_EQ(counts.size(), 24u);
  double chi_squared = 0.0;
  for (const auto& [order, count] : counts) {
    chi_squared += std::pow(count - 1000.0, 2) / 1000.0;
  }
  EXPECT_LT(chi_squared, 49.7);  // 23 degrees of freedom, p = 0.001
}

TEST(RandomPermutation, IsPinned) {
  EXPECT_EQ(random_permutation(8, mix(1, "shuffle", 0)), (std::vector<int64_t>{5, 4, 1, 0, 6, 2, 3, 7}));
}

}  // namespace
}  // namespace bnlab
