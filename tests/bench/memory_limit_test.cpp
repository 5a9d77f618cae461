#include "bnlab/bench/memory_limit.h"

#include <gtest/gtest.h>

#include "bnlab/bench/buffer.h"

namespace bnlab::bench {
namespace {

using kernels::Fusion;
using kernels::Layout;
using kernels::Shape;

constexpr Caches kCaches{.level2_bytes = 1 << 20, .last_level_bytes = 32 << 20};

Traffic traffic(Step step, Fusion fusion, const Shape& shape) {
  return least_traffic(step, fusion, shape, sizeof(float), 2, kCaches);
}

TEST(LeastTraffic, ChannelsFirstReadsOnceWhereASlabFitsACache) {
  const Shape slab_in_level2{128, 64, 32 * 32, Layout::kChannelsFirst};       // 0.5 MiB of 32 MiB
  const Shape slab_in_last_level{32, 64, 112 * 112, Layout::kChannelsFirst};  // 1.5 MiB of 98 MiB
  for (const Shape& shape : {slab_in_level2, slab_in_last_level}) {
    EXPECT_EQ(traffic(Step::kForwardTraining, Fusion::kNone, shape), (Traffic{0, 1, 1}));
    EXPECT_EQ(traffic(Step::kBackward, Fusion::kRelu, shape), (Traffic{0, 2, 1}));
  }
  const Shape slab_in_no_cache{64, 3, 224 * 224, Layout::kChannelsFirst};  // 12 MiB, and two of them for backward
  EXPECT_EQ(traffic(Step::kForwardTraining, Fusion::kNone, slab_in_no_cache), (Traffic{1, 1, 1}));
  EXPECT_EQ(traffic(Step::kBackward, Fusion::kNone, slab_in_no_cache), (Traffic{2, 2, 1}));
}

TEST(LeastTraffic, ChannelsLastReadsTwiceAboveTheLastLevelCache) {
  const Shape above{128, 64, 32 * 32, Layout::kChannelsLast}, below{128, 64, 16 * 16, Layout::kChannelsLast};
  EXPECT_EQ(traffic(Step::kForwardTraining, Fusion::kNone, above), (Traffic{1, 1, 1}));
  EXPECT_EQ(traffic(Step::kForwardTraining, Fusion::kAddRelu, above), (Traffic{1, 2, 1}));
  EXPECT_EQ(traffic(Step::kForwardEvaluation, Fusion::kNone, above), (Traffic{0, 1, 1}));
  EXPECT_EQ(traffic(Step::kBackward, Fusion::kAddRelu, above), (Traffic{2, 2, 2}));
  EXPECT_EQ(traffic(Step::kForwardTraining, Fusion::kNone, below), (Traffic{0, 1, 1}));
  EXPECT_EQ(traffic(Step::kBackward, Fusion::kNone, below), (Traffic{0, 2, 1}));
}

/// Every way of moving memory does read its sources and write its destinations, from the first byte to the last.
TEST(MoveMemory, ReadsAndWritesAllOfIt) {
  constexpr std::size_t kWords = (1 << 17) / sizeof(std::uint64_t);
  Buffer<std::uint64_t> a(kWords), b(kWords);
  for (std::size_t i = 0; i < kWords; ++i) a[i] = i + 1, b[i] = (i + 1) << 32;
  for (const bool streaming : {false, true}) {
    for (const Traffic& way : {Traffic{0, 1, 1}, Traffic{1, 1, 1}, Traffic{2, 2, 1}, Traffic{0, 2, 2}}) {
      Buffer<std::uint64_t> to(kWords), copy(kWords);
      move_memory(way, {a.data(), b.data()}, {to.data(), copy.data()}, to.bytes(), streaming);
      for (std::size_t i = 0; i < kWords; ++i) {
        ASSERT_EQ(to[i], way.reads == 2 ? (a[i] ^ b[i]) : a[i]) << i;
        ASSERT_EQ(copy[i], way.writes == 2 ? b[i] : 0) << i;
      }
    }
  }
}

/// Slabs whose rows begin within lines, too.
TEST(MoveSlabs, ReadsAndWritesAllOfIt) {
  constexpr std::size_t kPerElement = 2;  // floats in a word
  for (const Shape& shape : {Shape{32, 64, 64, Layout::kChannelsFirst}, Shape{17, 100, 49, Layout::kChannelsFirst}}) {
    const kernels::Cut parts = kernels::cut(shape, sizeof(float));
    ASSERT_TRUE(parts.slabs);
    ASSERT_GT(parts.tasks(), 1);
    const std::size_t lines = static_cast<std::size_t>(shape.elements()) * sizeof(float) / 64;
    Buffer<std::uint64_t> a(static_cast<std::size_t>(shape.elements()) / kPerElement), b(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = i + 1, b[i] = (i + 1) << 32;
    for (const bool streaming : {false, true}) {
      for (const Traffic& way : {Traffic{1, 1, 1}, Traffic{2, 2, 1}, Traffic{1, 2, 2}}) {
        Buffer<std::uint64_t> to(a.size()), copy(a.size());
        move_slabs(parts, sizeof(float), way, {a.data(), b.data()}, {to.data(), copy.data()}, streaming);
        for (std::size_t i = 0; i < lines * 8; ++i) {
          ASSERT_EQ(to[i], way.reads == 2 ? (a[i] ^ b[i]) : a[i]) << i;
          ASSERT_EQ(copy[i], way.writes == 2 ? b[i] : 0) << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace bnlab::bench
