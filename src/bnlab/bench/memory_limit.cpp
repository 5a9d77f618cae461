#include "bnlab/bench/memory_limit.h"

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace bnlab::bench {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kWorthThreads = 64 << 10;  // a smaller batch is moved sooner than a second thread is woken
constexpr std::size_t kWords = kLine / sizeof(std::uint64_t);
using Words = const std::uint64_t*;

/// Keeps the compiler from leaving out what was read.
void keep(std::uint64_t value) {
  asm volatile("" : : "r"(value) : "memory");
}

void read(Words from, std::size_t words) {
  std::uint64_t sums[kWords] = {};
  for (std::size_t i = 0; i + kWords <= words; i += kWords) {
    for (std::size_t k = 0; k < kWords; ++k) sums[k] += from[i + k];
  }
  std::uint64_t sum = 0;
  for (const std::uint64_t each : sums) sum += each;
  keep(sum);
}

void combine(Words a, Words b, std::uint64_t* __restrict to, std::size_t words) {
  for (std::size_t i = 0; i < words; ++i) to[i] = a[i] ^ b[i];
}

void combine_and_copy(Words a, Words b, std::uint64_t* __restrict to, std::uint64_t* __restrict copy,
                      std::size_t words) {
  for (std::size_t i = 0; i < words; ++i) {
    to[i] = a[i] ^ b[i];
    copy[i] = b[i];
  }
}

#ifdef __SSE2__
/// As the three ways above (b, copy: may be nullptr). words: a multiple of kWords.
void stream(Words a, Words b, std::uint64_t* to, std::uint64_t* copy, std::size_t words) {
  constexpr std::size_t kStep = sizeof(__m128i) / sizeof(std::uint64_t);
  for (std::size_t i = 0; i < words; i += kWords) {
    for (std::size_t k = i; k < i + kWords; k += kStep) {
      __m128i value = _mm_load_si128(reinterpret_cast<const __m128i*>(a + k));
      if (b != nullptr) {
        const __m128i other = _mm_load_si128(reinterpret_cast<const __m128i*>(b + k));
        if (copy != nullptr) _mm_stream_si128(reinterpret_cast<__m128i*>(copy + k), other);
        value = _mm_xor_si128(value, other);
      }
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + k), value);
    }
  }
  _mm_sfence();
}
#endif

/// A thread's part of the batches, in words, from a line's begin to a line's begin.
struct Portion {
  std::size_t begin, words;
};

Portion portion_of(std::size_t begin_line, std::size_t end_line) {
  return {begin_line * kWords, (end_line - begin_line) * kWords};
}

/// This thread's first of `count` things, and the first of the next one's.
std::pair<std::size_t, std::size_t> share_of_this_thread(std::size_t count) {
  const auto thread = static_cast<std::size_t>(omp_get_thread_num());
  const auto threads = static_cast<std::size_t>(omp_get_num_threads());
  return {count * thread / threads, count * (thread + 1) / threads};
}

void read_portion(const Traffic& traffic, const std::vector<const void*>& sources, const Portion& portion) {
  for (int i = 0; i < traffic.first_reads; ++i) {
    read(static_cast<Words>(sources[static_cast<std::size_t>(i)]) + portion.begin, portion.words);
  }
}

void write_portion(const Traffic& traffic, const std::vector<const void*>& sources,
                   const std::vector<void*>& destinations, const Portion& portion, bool streaming) {
  const auto source = [&](int i) { return static_cast<Words>(sources[static_cast<std::size_t>(i)]) + portion.begin; };
  const auto destination = [&](int i) {
    return static_cast<std::uint64_t*>(destinations[static_cast<std::size_t>(i)]) + portion.begin;
  };
  Words second = traffic.reads == 2 ? source(1) : nullptr;
  std::uint64_t* copy = traffic.writes == 2 ? destination(1) : nullptr;
#ifdef __SSE2__
  if (streaming) return stream(source(0), second, destination(0), copy, portion.words);
#else
  (void)streaming;
#endif
  if (second == nullptr) {
    std::memcpy(destination(0), source(0), portion.words * sizeof(std::uint64_t));
  } else if (copy == nullptr) {
    combine(source(0), second, destination(0), portion.words);
  } else {
    combine_and_copy(source(0), second, destination(0), copy, portion.words);
  }
}

Portion row_of(const kernels::Place& slab, std::int64_t row, std::int64_t element_bytes) {
  const std::int64_t begin = (slab.element + row * slab.patch.row_stride) * element_bytes;
  const std::int64_t end = begin + slab.patch.slots * slab.patch.run * element_bytes;
  return portion_of(static_cast<std::size_t>(begin) / kLine, static_cast<std::size_t>(end) / kLine);
}

}  // namespace

bool above_last_level_cache(std::int64_t batch_bytes, const Caches& caches) {
  return batch_bytes >= caches.last_level_bytes;
}

Traffic least_traffic(Step step, kernels::Fusion fusion, const kernels::Shape& shape, std::int64_t element_bytes,
                      int threads, const Caches& caches) {
  const bool backward = step == Step::kBackward, added = fusion == kernels::Fusion::kAddRelu;
  Traffic traffic{.first_reads = 0, .reads = backward || added ? 2 : 1, .writes = backward && added ? 2 : 1};
  if (step == Step::kForwardEvaluation) return traffic;
  const int looked_at = backward ? 2 : 1;
  const std::int64_t slab = shape.count() * element_bytes * looked_at;
  const std::int64_t batch = shape.elements() * element_bytes;
  const bool once = shape.layout == kernels::Layout::kChannelsFirst
                        ? slab <= caches.level2_bytes || threads * slab <= caches.last_level_bytes / 2
                        : !above_last_level_cache(batch, caches);
  if (!once) traffic.first_reads = looked_at;
  return traffic;
}

void move_memory(const Traffic& traffic, const std::vector<const void*>& sources,
                 const std::vector<void*>& destinations, std::size_t bytes, bool streaming) {
#pragma omp parallel if (bytes >= kWorthThreads)
  {
    const auto [begin, end] = share_of_this_thread(bytes / kLine);
    const Portion portion = portion_of(begin, end);
    read_portion(traffic, sources, portion);
    write_portion(traffic, sources, destinations, portion, streaming);
  }
}

void move_slabs(const kernels::Cut& parts, std::int64_t element_bytes, const Traffic& traffic,
                const std::vector<const void*>& sources, const std::vector<void*>& destinations, bool streaming) {
#pragma omp parallel
  {
    const auto [begin, end] = share_of_this_thread(static_cast<std::size_t>(parts.tasks()));
    for (std::size_t task = begin; task < end; ++task) {
      const kernels::Place slab = parts.place(static_cast<std::int64_t>(task));
      for (std::int64_t row = 0; row < slab.patch.rows; ++row) {
        read_portion(traffic, sources, row_of(slab, row, element_bytes));
      }
      for (std::int64_t row = slab.patch.rows - 1; row >= 0; --row) {
        write_portion(traffic, sources, destinations, row_of(slab, row, element_bytes), streaming);
      }
    }
  }
}

bool has_streaming_stores() {
#ifdef __SSE2__
  return true;
#else
  return false;
#endif
}

}  // namespace bnlab::bench
