// Arrays whose alignment is chosen and whose ends are watched.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "bnlab/kernels/element.h"

#if defined(__SANITIZE_ADDRESS__)
#define BNLAB_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BNLAB_ADDRESS_SANITIZER 1
#endif
#endif
#ifdef BNLAB_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace bnlab::kernels {

/// `size` values, 0 at first, whose first lies `offset` elements after a multiple of 64 bytes. Writing up to 64 bytes
/// beyond either end shows in guarded(); the address sanitizer also sees reading.
template <class T>
class Values {
 public:
  explicit Values(std::int64_t size, std::int64_t offset = 1)
      : size_(static_cast<std::size_t>(size)),
        before_(kGuardBytes + static_cast<std::size_t>(offset) * sizeof(T)),
        memory_(before_ + size_ * sizeof(T) + kGuardBytes) {
    std::memset(memory_.data, kGuard, memory_.size);
    std::fill_n(data(), size_, T());
    watch(true);
  }
  Values(const Values& other) : size_(other.size_), before_(other.before_), memory_(other.memory_.size) {
    *this = other;
  }
  Values& operator=(const Values& other) {
    if (this == &other) return *this;
    if (size_ != other.size_ || before_ != other.before_) return *this = Values(other);
    watch(false);
    std::memset(memory_.data, kGuard, memory_.size);
    std::copy_n(other.data(), size_, data());
    watch(true);
    return *this;
  }
  Values(Values&& other) noexcept = default;
  Values& operator=(Values&& other) noexcept = default;
  ~Values() {
    if (memory_.data) watch(false);
  }

  [[nodiscard]] T* data() { return reinterpret_cast<T*>(memory_.data + before_); }
  [[nodiscard]] const T* data() const { return reinterpret_cast<const T*>(memory_.data + before_); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t bytes() const { return size_ * sizeof(T); }
  [[nodiscard]] T& operator[](std::size_t i) { return data()[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const { return data()[i]; }

  [[nodiscard]] std::vector<double> doubles() const {
    std::vector<double> all(size_);
    std::transform(data(), data() + size_, all.begin(), [](T value) { return static_cast<double>(value); });
    return all;
  }

  [[nodiscard]] bool guarded() const {
    watch(false);
    const auto untouched = [](unsigned char byte) { return byte == kGuard; };
    const unsigned char* end = memory_.data + before_ + bytes();
    const bool result = std::all_of(memory_.data + 0, memory_.data + before_, untouched) &&
                        std::all_of(end, end + kGuardBytes, untouched);
    watch(true);
    return result;
  }

 private:
  static constexpr std::size_t kGuardBytes = 64;
  static constexpr unsigned char kGuard = 0xa5;

  struct Memory {
    explicit Memory(std::size_t bytes)
        : size(bytes), data(static_cast<unsigned char*>(::operator new (bytes, std::align_val_t{64}))) {}
    Memory(Memory&& other) noexcept : size(other.size), data(std::exchange(other.data, nullptr)) {}
    Memory& operator=(Memory&& other) noexcept {
      std::swap(size, other.size);
      std::swap(data, other.data);
      return *this;
    }
    ~Memory() { ::operator delete (data, std::align_val_t{64}); }
    std::size_t size;
    unsigned char* data;
  };

  // Makes reading and writing of the guards errors of the address sanitizer, or not.
  void watch([[maybe_unused]] bool on) const {
#ifdef BNLAB_ADDRESS_SANITIZER
    const unsigned char* end = memory_.data + before_ + bytes();
    if (on) {
      __asan_poison_memory_region(memory_.data, before_);
      __asan_poison_memory_region(end, kGuardBytes);
    } else {
      __asan_unpoison_memory_region(memory_.data, memory_.size);
    }
#endif
  }

  std::size_t size_;
  std::size_t before_;
  Memory memory_;
};

/// Whether two arrays of one size are equal to the last bit; other than ==, a NaN equals itself and 0 differs from -0.
template <class T>
bool same_bits(const Values<T>& a, const Values<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

}  // namespace bnlab::kernels
