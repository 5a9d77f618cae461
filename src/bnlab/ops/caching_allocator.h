// A CPU allocator for libtorch that keeps large blocks and hands them out again.
//
// Why: glibc returns a freed block of 32 MB to the system and gets it back as zero pages, one page fault for every
// 4 KiB; for the output of a normalization layer these faults cost more time than the normalization. Here a block of
// 1 MiB or more is kept after it is freed and lies in huge pages (2 MiB), if the system grants those
// (madvise(MADV_HUGEPAGE)).
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Allocator.h>

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace bnlab::ops {

/// Large blocks by their size and age. Thread-safe: a block may be freed on another thread than it was taken on.
class BlockCache {
 public:
  struct Counts {
    std::size_t bytes_in_use = 0;
    std::size_t bytes_kept = 0;  ///< free, not returned to the system
    std::size_t mapped = 0;      ///< blocks taken from the system so far
  };

  /// Keeps at most so many bytes of free blocks.
  explicit BlockCache(std::size_t most_bytes_kept) : most_bytes_kept_(most_bytes_kept) {}
  ~BlockCache();
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  /// A block of at least `bytes` > 0, its content unspecified: the smallest free one if that is at most 25 % too large,
  /// else a new one, which begins at a cache line in the first 128 KiB of a huge page, each new one at another. nullptr
  /// if the system has no memory left, even after all kept blocks were returned to it.
  [[nodiscard]] void* take(std::size_t bytes);

  /// Frees a block of take(). The longest unused blocks go back to the system until no more than the limit is kept.
  /// False, and nothing done, if `block` is not one of this cache.
  bool give_back(void* block);

  /// Whether `block` came from take() and has not been given back.
  [[nodiscard]] bool owns(void* block) const;

  /// Returns all free blocks to the system.
  void trim();

  [[nodiscard]] Counts counts() const;

  /// Held across fork(), so that the child finds the cache whole.
  std::mutex& mutex() { return mutex_; }

 private:
  struct FreeBlock {
    void* address;
    std::size_t bytes;
  };
  using BySize = std::multimap<std::size_t, std::uint64_t>;

  void* take_kept(std::size_t bytes);
  void unmap_oldest();
  void trim_to(std::size_t bytes);

  const std::size_t most_bytes_kept_;
  mutable std::mutex mutex_;
  std::unordered_map<void*, std::size_t> in_use_;  ///< bytes of each
  std::map<std::uint64_t, FreeBlock> free_;        ///< by the time of their freeing
  BySize by_size_;                                 ///< those times by size
  std::uint64_t time_ = 0;
  Counts counts_;
};

/// A quarter of the machine's memory, or of this control group's if that has less.
[[nodiscard]] std::size_t default_bytes_kept();

/// The process's cache, which keeps default_bytes_kept(). Made at its first use, and never destroyed.
[[nodiscard]] BlockCache& block_cache();

/// As at::empty_like(like) of a dense tensor, its memory from block_cache() if it is large: the operators make their
/// outputs so, whatever allocator libtorch has.
[[nodiscard]] at::Tensor empty_like_kept(const at::Tensor& like);

/// Makes libtorch take all its large blocks from block_cache(), and smaller ones from the allocator that it has used so
/// far. Tensors made before keep their memory and its way of being freed. For the whole process and until its end;
/// later calls change nothing.
void install_allocator();

/// Returns the memory that block_cache() keeps to the system, as torch.cuda.empty_cache() does for a GPU.
void empty_cache();

}  // namespace bnlab::ops
