#include "bnlab/ops/caching_allocator.h"

#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

namespace bnlab::ops {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

// A cache line in the first 128 KiB of one.
bool on_huge_page(const void* block) {
  const std::uintptr_t place = reinterpret_cast<std::uintptr_t>(block) % (2 * kMiB);
  return place % 64 == 0 && place < kMiB / 8;
}

TEST(BlockCache, BlocksBeginOnHugePagesAndHoldWhatWasAsked) {
  BlockCache cache(64 * kMiB);
  std::vector<void*> blocks;
  for (const std::size_t bytes : {std::size_t{1}, kMiB, kMiB + 1, 2 * kMiB, 5 * kMiB + 12345}) {
    void* const block = cache.take(bytes);
    ASSERT_TRUE(on_huge_page(block));
    std::memset(block, static_cast<int>(blocks.size()), bytes);
    blocks.push_back(block);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) EXPECT_EQ(*static_cast<char*>(blocks[i]), static_cast<char>(i));
  for (void* block : blocks) EXPECT_TRUE(cache.give_back(block));
  EXPECT_EQ(cache.counts().bytes_in_use, 0U);
}

TEST(BlockCache, BlocksThatAreWalkedThroughTogetherLieInOtherLinesOfTheirPages) {
  BlockCache cache(64 * kMiB);
  std::vector<void*> blocks;
  std::set<std::uintptr_t> lines;
  for (int i = 0; i < 4; ++i) {
    blocks.push_back(cache.take(4 * kMiB));
    lines.insert(reinterpret_cast<std::uintptr_t>(blocks.back()) % 4096);
  }
  EXPECT_EQ(lines.size(), 4U);
  for (void* block : blocks) EXPECT_TRUE(cache.give_back(block));
}

TEST(BlockCache, AFreedBlockIsTakenAgain) {
  BlockCache cache(64 * kMiB);
  void* const block = cache.take(8 * kMiB);
  ASSERT_TRUE(cache.give_back(block));
  EXPECT_EQ(cache.counts().bytes_kept, 8 * kMiB);
  EXPECT_EQ(cache.take(8 * kMiB), block);
  EXPECT_EQ(cache.counts().mapped, 1U);
  EXPECT_EQ(cache.counts().bytes_kept, 0U);
  EXPECT_TRUE(cache.give_back(block));
}

TEST(BlockCache, TheBestFitWithinAQuarterIsTaken) {
  BlockCache cache(256 * kMiB);
  void* const large = cache.take(20 * kMiB);
  void* const middle = cache.take(12 * kMiB);
  void* const small = cache.take(10 * kMiB);
  for (void* block : {large, middle, small}) ASSERT_TRUE(cache.give_back(block));
  EXPECT_EQ(cache.take(11 * kMiB), middle) << "10 MiB are too few, 20 MiB more than a quarter too many";
  EXPECT_EQ(cache.take(9 * kMiB), small);
  EXPECT_EQ(cache.take(16 * kMiB), large) << "a quarter exactly";
  EXPECT_TRUE(cache.give_back(large));
  void* const fresh = cache.take(16 * kMiB - 1);  // rounds up to 16 MiB
  EXPECT_EQ(fresh, large);
  ASSERT_TRUE(cache.give_back(large));
  void* const other = cache.take(15 * kMiB);
  EXPECT_NE(other, large);
  for (void* block : {middle, small, other}) EXPECT_TRUE(cache.give_back(block));
}

TEST(BlockCache, KeepsNoMoreThanItsBoundAndDropsTheOldest) {
  BlockCache cache(20 * kMiB);
  void* const first = cache.take(8 * kMiB);
  void* const second = cache.take(7 * kMiB);
  void* const third = cache.take(6 * kMiB);
  ASSERT_TRUE(cache.give_back(first));
  ASSERT_TRUE(cache.give_back(second));
  EXPECT_EQ(cache.counts().bytes_kept, 15 * kMiB);
  ASSERT_TRUE(cache.give_back(third));
  EXPECT_EQ(cache.counts().bytes_kept, 13 * kMiB) << "the first, 8 MiB, went";
  EXPECT_EQ(cache.take(7 * kMiB), second);
  EXPECT_EQ(cache.take(6 * kMiB), third);
  (void)cache.give_back(second);
  (void)cache.give_back(third);
  void* const huge = cache.take(64 * kMiB);
  ASSERT_TRUE(cache.give_back(huge));
  EXPECT_EQ(cache.counts().bytes_kept, 0U) << "one block above the bound is not kept";
}

TEST(BlockCache, TrimReturnsAll) {
  BlockCache cache(64 * kMiB);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(cache.give_back(cache.take(4 * kMiB)));
  cache.trim();
  EXPECT_EQ(cache.counts().bytes_kept, 0U);
}

TEST(BlockCache, RefusesForeignAndFreedBlocks) {
  BlockCache cache(64 * kMiB);
  int foreign = 0;
  EXPECT_FALSE(cache.give_back(&foreign));
  void* const block = cache.take(kMiB);
  EXPECT_TRUE(cache.owns(block));
  EXPECT_FALSE(cache.owns(&foreign));
  EXPECT_TRUE(cache.give_back(block));
  EXPECT_FALSE(cache.owns(block));
  EXPECT_FALSE(cache.give_back(block)) << "twice";
}

TEST(BlockCache, TellsWhenThereIsNoMemory) {
  BlockCache cache(64 * kMiB);
  EXPECT_EQ(cache.take(std::size_t{1} << 60), nullptr);
}

// Each thread frees what another one took; no block may be in two hands at once.
TEST(BlockCache, BlocksPassBetweenThreads) {
  BlockCache cache(32 * kMiB);
  constexpr int kThreads = 4, kRounds = 200;
  std::vector<std::atomic<void*>> desk(kThreads);
  std::atomic<int> clashes = 0;
  const auto work = [&](int number) {
    for (int round = 0; round < kRounds; ++round) {
      const std::size_t bytes = kMiB + static_cast<std::size_t>((number + round) % 5) * (kMiB / 4);
      void* const block = cache.take(bytes);
      const int mark = number * kRounds + round;
      std::memcpy(block, &mark, sizeof(mark));
      std::this_thread::yield();
      if (std::memcmp(block, &mark, sizeof(mark)) != 0) ++clashes;
      if (void* const other = desk[static_cast<std::size_t>((number + 1) % kThreads)].exchange(block)) {
        if (!cache.give_back(other)) ++clashes;
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  for (auto& left : desk) EXPECT_TRUE(cache.give_back(left));
  EXPECT_EQ(clashes, 0);
  EXPECT_EQ(cache.counts().bytes_in_use, 0U);
  EXPECT_LE(cache.counts().bytes_kept, 32 * kMiB);
}

TEST(EmptyLikeKept, TakesLargeBlocksFromTheCacheAndReturnsThem) {
  const auto in_use = block_cache().counts().bytes_in_use;
  const at::Tensor last = at::zeros({16, 64, 32, 32}).contiguous(at::MemoryFormat::ChannelsLast);
  void* address = nullptr;
  {
    at::Tensor kept = empty_like_kept(last);
    EXPECT_EQ(kept.strides(), last.strides());
    EXPECT_EQ(kept.sizes(), last.sizes());
    EXPECT_EQ(kept.scalar_type(), last.scalar_type());
    EXPECT_TRUE(block_cache().owns(kept.data_ptr()));
    EXPECT_EQ(block_cache().counts().bytes_in_use, in_use + 4 * kMiB);
    address = kept.data_ptr();
    kept.fill_(7);
    at::Tensor grown = empty_like_kept(last).fill_(7);
    grown.resize_({32, 64, 32, 32});  // its storage must know an allocator
    EXPECT_EQ(grown.flatten()[0].item<float>(), 7);
  }
  EXPECT_EQ(block_cache().counts().bytes_in_use, in_use);
  EXPECT_EQ(empty_like_kept(last).data_ptr(), address);
  EXPECT_FALSE(block_cache().owns(empty_like_kept(at::zeros({8})).data_ptr()));
  empty_cache();
  EXPECT_EQ(block_cache().counts().bytes_kept, 0U);
}

TEST(CachingAllocator, ServesTensorsBeforeAndAfterItsInstallation) {
  at::Tensor before = at::full({1 << 20}, 3.0F);
  install_allocator();
  install_allocator();

  const at::Tensor small = at::ones({100});
  ASSERT_EQ(block_cache().counts().bytes_in_use, 0U) << "small blocks come from elsewhere";
  void* address = nullptr;
  {
    const at::Tensor large = at::ones({1 << 20});
    address = large.data_ptr();
    EXPECT_TRUE(on_huge_page(address));
    EXPECT_EQ(block_cache().counts().bytes_in_use, 4 * kMiB);
    before = at::Tensor();  // of the old allocator
  }
  EXPECT_EQ(block_cache().counts().bytes_in_use, 0U);
  std::thread([&] { EXPECT_EQ(at::empty({1 << 20}).data_ptr(), address); }).join();

  c10::Allocator* const allocator = c10::GetCPUAllocator();
  for (const std::size_t bytes : {std::size_t{64}, 3 * kMiB}) {
    EXPECT_EQ(allocator->allocate(bytes).get_deleter(), allocator->raw_deleter());
    void* const raw = allocator->raw_allocate(bytes);
    std::memset(raw, 1, bytes);
    allocator->raw_deallocate(raw);
  }
  EXPECT_EQ(block_cache().counts().bytes_in_use, 0U);
}

TEST(CachingAllocator, WorksInAForkedChild) {
  install_allocator();
  const at::Tensor large = at::ones({1 << 20});
  const pid_t child = fork();
  if (child == 0) {
    void* const block = block_cache().take(4 * kMiB);
    std::memset(block, 1, 4 * kMiB);
    _exit(block_cache().give_back(block) && large.data_ptr<float>()[12345] == 1 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(CachingAllocator, KeepsAtMostAQuarterOfTheMemory) {
  const auto pages =
      static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  EXPECT_LE(default_bytes_kept(), pages / 4);
  EXPECT_GT(default_bytes_kept(), 16 * kMiB);
}

}  // namespace
}  // namespace bnlab::ops
