#include "bnlab/ops/batch_layout.h"

#include <ATen/ATen.h>

namespace bnlab::ops {
namespace {

/// Whether the elements lie without gaps in the order samples, positions, channels.
bool is_channels_last(const at::Tensor& x) {
  c10::SymInt step = 1;
  const auto is_next = [&](std::int64_t dim) {
    const c10::SymInt size = x.sym_size(dim), expected = step;
    step = step * size;
    return size == 1 || x.sym_strides()[dim] == expected;
  };
  if (!is_next(1)) return false;
  for (std::int64_t dim = x.dim() - 1; dim >= 2; --dim) {
    if (!is_next(dim)) return false;
  }
  return is_next(0);
}

/// Of one sample and channel.
c10::SymInt positions(const at::Tensor& x) {
  c10::SymInt count = 1;
  for (std::int64_t dim = 2; dim < x.dim(); ++dim) count = count * x.sym_size(dim);
  return count;
}

}  // namespace

std::optional<kernels::Layout> dense_layout(const at::Tensor& x) {
  if (x.is_contiguous()) return kernels::Layout::kChannelsFirst;
  if (is_channels_last(x)) return kernels::Layout::kChannelsLast;
  return std::nullopt;
}

kernels::Shape DenseBatch::shape() const {
  return {.n = tensor.size(0), .c = tensor.size(1), .s = positions(tensor).expect_int(), .layout = layout};
}

DenseBatch dense_batch(const at::Tensor& x) {
  if (const auto layout = dense_layout(x)) return {x, *layout};
  return {x.contiguous(), kernels::Layout::kChannelsFirst};
}

at::Tensor laid_out_like(const DenseBatch& batch, const at::Tensor& other) {
  const auto layout = dense_layout(other);
  if (layout == batch.layout) return other;
  // With one channel or one position both layouts are the same memory.
  if (layout && (other.sym_size(1) == 1 || positions(other) == 1)) return other;
  return at::empty_like(batch.tensor, other.options()).copy_(other);
}

c10::SymInt values_per_channel(const at::Tensor& x) {
  const c10::SymInt channels = x.sym_size(1);
  return channels == 0 ? c10::SymInt(0) : x.sym_numel() / channels;
}

c10::SymInt mask_bytes(const at::Tensor& x, kernels::Layout layout) {
  constexpr std::int64_t kReadAhead = 8, kLayout = 1;
  const c10::SymInt n = x.sym_size(0), c = x.sym_size(1), s = positions(x);
  const bool by_positions = layout == kernels::Layout::kChannelsLast || s == 1;
  return (by_positions ? n * s * ((c + 7) / 8) : n * c * ((s + 7) / 8)) + kReadAhead + kLayout;
}

at::Tensor per_channel(const at::Tensor& values, std::int64_t rank) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(rank), 1);
  sizes[1] = -1;
  return values.reshape(sizes);
}

std::vector<std::int64_t> batch_dims(std::int64_t rank) {
  std::vector<std::int64_t> dims{0};
  for (std::int64_t dim = 2; dim < rank; ++dim) dims.push_back(dim);
  return dims;
}

}  // namespace bnlab::ops
