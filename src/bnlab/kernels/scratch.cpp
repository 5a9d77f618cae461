#include "bnlab/kernels/scratch.h"

#include <array>
#include <cstdlib>

namespace bnlab::kernels {
namespace {

constexpr std::size_t kAlign = 64;
constexpr std::size_t kKeptBytes = std::size_t{8} << 20;  // a larger block is given back to the system

struct Block {
  void* memory = nullptr;
  std::size_t bytes = 0;
  bool taken = false;
};

struct Blocks {
  Blocks() = default;
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;
  ~Blocks() {
    for (Block& block : all) std::free(block.memory);
  }
  std::array<Block, 8> all;  // a kernel takes at most six at a time
};

Blocks& mine() noexcept {
  thread_local Blocks blocks;
  return blocks;
}

}  // namespace

void* take_scratch(std::size_t bytes) noexcept {
  const std::size_t rounded = (bytes + kAlign) / kAlign * kAlign;  // never 0
  Block* unused = nullptr;
  for (Block& block : mine().all) {
    if (block.taken) continue;
    if (block.bytes >= rounded) {
      block.taken = true;
      return block.memory;
    }
    unused = &block;
  }
  void* memory = std::aligned_alloc(kAlign, rounded);
  if (memory && unused && rounded <= kKeptBytes) {
    std::free(unused->memory);
    *unused = {memory, rounded, true};
  }
  return memory;
}

void give_scratch_back(void* memory) noexcept {
  for (Block& block : mine().all) {
    if (block.memory == memory) {
      block.taken = false;
      return;
    }
  }
  std::free(memory);
}

}  // namespace bnlab::kernels
