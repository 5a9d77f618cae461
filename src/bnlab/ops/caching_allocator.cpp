#include "bnlab/ops/caching_allocator.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/CPUAllocator.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>

namespace bnlab::ops {
namespace {

constexpr std::size_t kLarge = std::size_t{1} << 20;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSmallPage = 4096;
constexpr std::size_t kGranule = std::size_t{1} << 16;  // sizes are rounded up to this: more blocks fit again

constexpr std::size_t rounded_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

// Arrays that begin at the same place of their pages have their elements in the same few lines of every cache, and push
// each other out when they are walked through together. So blocks begin some lines apart. This step also leaves 4 KiB
// pages, and seven of its multiples lie within one way of an L2 cache.
constexpr std::size_t kColorStep = 273 * 64;
constexpr std::size_t kColors = 7;

std::size_t color_of(const void* block) {
  return reinterpret_cast<std::uintptr_t>(block) % kHugePage;
}

bool may_be_block(const void* block) {
  return color_of(block) % kColorStep == 0 && color_of(block) < kColors * kColorStep;
}

/// `bytes` of zeros that begin `color` bytes into a huge page; nullptr without memory.
void* map_block(std::size_t bytes, std::size_t color) {
  const std::size_t with_slack = color + bytes + kHugePage;
  void* mapped = mmap(nullptr, with_slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  char* const first = static_cast<char*>(mapped);
  char* const page = reinterpret_cast<char*>(rounded_up(reinterpret_cast<std::uintptr_t>(first), kHugePage));
  if (page > first) munmap(first, static_cast<std::size_t>(page - first));
  const std::size_t used = rounded_up(color + bytes, kSmallPage);
  const std::size_t behind = with_slack - static_cast<std::size_t>(page - first) - used;
  if (behind > 0) munmap(page + used, behind);
  madvise(page, used, MADV_HUGEPAGE);  // without huge pages the block is as good, only slower
  return page + color;
}

void unmap_block(void* block, std::size_t bytes) {
  const std::size_t color = color_of(block);
  munmap(static_cast<char*>(block) - color, rounded_up(color + bytes, kSmallPage));
}

BlockCache* the_cache = nullptr;  // that of block_cache(), for the functions around fork()

}  // namespace

BlockCache::~BlockCache() {
  trim();
}

void* BlockCache::take(std::size_t bytes) {
  const std::size_t wanted = rounded_up(bytes, kGranule);
  const std::lock_guard lock(mutex_);
  void* block = take_kept(wanted);
  if (block != nullptr) return block;
  const std::size_t color = counts_.mapped % kColors * kColorStep;
  block = map_block(wanted, color);
  if (block == nullptr) {
    trim_to(0);
    block = map_block(wanted, color);
  }
  if (block == nullptr) return nullptr;
  in_use_.emplace(block, wanted);
  counts_.bytes_in_use += wanted;
  ++counts_.mapped;
  return block;
}

void* BlockCache::take_kept(std::size_t bytes) {
  const auto first = by_size_.lower_bound(bytes);
  if (first == by_size_.end() || first->first > bytes + bytes / 4) return nullptr;
  // Of several of one size the last freed one, whose content is most likely to be in a processor's cache.
  const auto best = std::prev(by_size_.upper_bound(first->first));
  const auto found = free_.find(best->second);
  const FreeBlock block = found->second;
  free_.erase(found);
  by_size_.erase(best);
  in_use_.emplace(block.address, block.bytes);
  counts_.bytes_kept -= block.bytes;
  counts_.bytes_in_use += block.bytes;
  return block.address;
}

bool BlockCache::owns(void* block) const {
  const std::lock_guard lock(mutex_);
  return in_use_.count(block) > 0;
}

bool BlockCache::give_back(void* block) {
  const std::lock_guard lock(mutex_);
  const auto found = in_use_.find(block);
  if (found == in_use_.end()) return false;
  const std::size_t bytes = found->second;
  in_use_.erase(found);
  free_.emplace(++time_, FreeBlock{block, bytes});
  by_size_.emplace(bytes, time_);
  counts_.bytes_in_use -= bytes;
  counts_.bytes_kept += bytes;
  trim_to(most_bytes_kept_);
  return true;
}

void BlockCache::trim() {
  const std::lock_guard lock(mutex_);
  trim_to(0);
}

void BlockCache::trim_to(std::size_t bytes) {
  while (counts_.bytes_kept > bytes) unmap_oldest();
}

void BlockCache::unmap_oldest() {
  const auto [time, block] = *free_.begin();
  free_.erase(free_.begin());
  const auto [first, last] = by_size_.equal_range(block.bytes);
  by_size_.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == time; }));
  unmap_block(block.address, block.bytes);
  counts_.bytes_kept -= block.bytes;
}

BlockCache::Counts BlockCache::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::size_t default_bytes_kept() {
  auto bytes = static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::size_t of_group = 0;
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> of_group && of_group > 0) bytes = std::min(bytes, of_group);
  return bytes / 4;
}

BlockCache& block_cache() {
  // Never destroyed, like all below: tensors in static variables outlive everything here.
  static BlockCache& cache = []() -> BlockCache& {
    auto* const made = new BlockCache(default_bytes_kept());
    the_cache = made;
    pthread_atfork([] { the_cache->mutex().lock(); }, [] { the_cache->mutex().unlock(); },
                   [] { the_cache->mutex().unlock(); });
    return *made;
  }();
  return cache;
}

namespace {

c10::Allocator* small_blocks = nullptr;
c10::DeleterFnPtr free_small_block = nullptr;

void free_large_block(void* block) {
  c10::profiledCPUMemoryReporter().Delete(block);  // first: once given back it may be another thread's
  block_cache().give_back(block);
}

/// Frees blocks of both kinds: libtorch wants one deleter for an allocator.
void free_block(void* block) {
  if (may_be_block(block) && block_cache().owns(block)) {
    free_large_block(block);
  } else {
    free_small_block(block);
  }
}

c10::DataPtr allocate_large(std::size_t bytes, c10::DeleterFnPtr deleter) {
  void* const block = block_cache().take(bytes);
  TORCH_CHECK(block != nullptr, "bnlab's allocator: the system has no ", bytes, " bytes left.");
  c10::profiledCPUMemoryReporter().New(block, bytes);
  return {block, block, deleter, c10::Device(c10::DeviceType::CPU)};
}

c10::DataPtr allocate_block(std::size_t bytes) {
  if (bytes >= kLarge) return allocate_large(bytes, &free_block);
  c10::DataPtr small = small_blocks->allocate(bytes);
  (void)small.compare_exchange_deleter(free_small_block, &free_block);
  return small;
}

/// allocate() is const up to some version 2 of libtorch and copy_data() is new there, so neither says `override`.
struct CachingAllocator final : c10::Allocator {
  c10::DataPtr allocate(std::size_t bytes) const { return allocate_block(bytes); }
  c10::DataPtr allocate(std::size_t bytes) { return allocate_block(bytes); }
  c10::DeleterFnPtr raw_deleter() const override { return &free_block; }
  void copy_data(void* to, const void* from, std::size_t bytes) const { std::memcpy(to, from, bytes); }
};

}  // namespace

at::Tensor empty_like_kept(const at::Tensor& like) {
  if (like.is_meta()) return at::empty_like(like);
  const auto bytes = static_cast<std::size_t>(like.numel()) * like.element_size();
  if (bytes < kLarge) return at::empty_like(like);
  c10::Storage storage(c10::Storage::use_byte_size_t(), bytes, allocate_large(bytes, &free_large_block),
                       c10::GetCPUAllocator(), /*resizable=*/true);
  at::Tensor empty = at::empty({0}, like.options());
  return empty.set_(std::move(storage), 0, like.sizes(), like.strides());
}

void install_allocator() {
  static const bool installed = [] {
    small_blocks = c10::GetCPUAllocator();
    free_small_block = small_blocks->raw_deleter();
    c10::SetCPUAllocator(new CachingAllocator);
    return true;
  }();
  (void)installed;
}

void empty_cache() {
  block_cache().trim();
}

}  // namespace bnlab::ops
