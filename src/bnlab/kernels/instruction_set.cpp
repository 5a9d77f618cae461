#include "bnlab/kernels/instruction_set.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "bnlab/kernels/loops.h"

namespace bnlab::kernels {
namespace {

constexpr int kBad = -1;

const std::vector<const char*>& names() noexcept {
  static const std::vector<const char*> all = [] {
    std::vector<const char*> found;
    for (const Loops<float>* loops : supported_loops<float>()) found.push_back(loops->instruction_set);
    return found;
  }();
  return all;
}

int index_of(const char* name) noexcept {
  for (std::size_t i = 0; i < names().size(); ++i) {
    if (std::strcmp(names()[i], name) == 0) return static_cast<int>(i);
  }
  return kBad;
}

// The place of the one in use in supported_loops(), or kBad.
std::atomic<int>& chosen() noexcept {
  static std::atomic<int> index = [] {
    const char* forced = std::getenv("BNLAB_FORCE_ISA");
    return forced && *forced ? index_of(forced) : 0;
  }();
  return index;
}

}  // namespace

std::span<const char* const> instruction_sets() noexcept {
  return names();
}

const char* instruction_set() noexcept {
  const int index = chosen().load(std::memory_order_relaxed);
  return index == kBad ? nullptr : names()[static_cast<std::size_t>(index)];
}

Status use_instruction_set(const char* name) noexcept {
  const int index = index_of(name);
  if (index == kBad) return Status::kBadInstructionSet;
  chosen().store(index, std::memory_order_relaxed);
  return Status::kOk;
}

template <class E>
const Loops<E>* loops() noexcept {
  const int index = chosen().load(std::memory_order_relaxed);
  return index == kBad ? nullptr : supported_loops<E>()[static_cast<std::size_t>(index)];
}

template const Loops<float>* loops() noexcept;
template const Loops<double>* loops() noexcept;
template const Loops<BFloat16>* loops() noexcept;
template const Loops<Float16>* loops() noexcept;

}  // namespace bnlab::kernels
