// Memory for partial results, without exceptions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace bnlab::kernels {

/// `count` values that are not initialized; false if there was no memory.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count) noexcept : data_(new (std::nothrow) T[static_cast<std::size_t>(count)]) {}

  explicit operator bool() const noexcept { return data_ != nullptr; }
  [[nodiscard]] T* data() const noexcept { return data_.get(); }
  T& operator[](std::int64_t i) const noexcept { return data_[static_cast<std::size_t>(i)]; }

 private:
  std::unique_ptr<T[]> data_;
};

}  // namespace bnlab::kernels
