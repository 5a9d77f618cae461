// Memory for partial results, without exceptions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bnlab::kernels {

/// `bytes` bytes at an address that is a multiple of 64, or nullptr. Each thread keeps what it gives back for its next
/// call: a kernel that would ask the system for fresh pages in every call would mostly wait for them.
[[nodiscard]] void* take_scratch(std::size_t bytes) noexcept;
void give_scratch_back(void* memory) noexcept;

/// `count` values that are not initialized; false if there was no memory. Ends on the thread that made it.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count) noexcept
      : data_(static_cast<T*>(take_scratch(static_cast<std::size_t>(count) * sizeof(T)))) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    if (data_) give_scratch_back(data_);
  }

  explicit operator bool() const noexcept { return data_ != nullptr; }
  [[nodiscard]] T* data() const noexcept { return data_; }
  T& operator[](std::int64_t i) const noexcept { return data_[i]; }

 private:
  T* data_;
};

}  // namespace bnlab::kernels
