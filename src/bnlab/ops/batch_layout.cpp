#include "bnlab/ops/batch_layout.h"

#include <ATen/ATen.h>

namespace bnlab::ops {
namespace {

/// Whether the elements lie without gaps in the order samples, positions, channels.
bool is_channels_last(const at::Tensor& x) {
  std::int64_t step = 1;
  const auto is_next = [&](std::int64_t dim) {
    const std::int64_t size = x.size(dim), expected = step;
    step *= size;
    return size == 1 || x.stride(dim) == expected;
  };
  if (!is_next(1)) return false;
  for (std::int64_t dim = x.dim() - 1; dim >= 2; --dim) {
    if (!is_next(dim)) return false;
  }
  return is_next(0);
}

}  // namespace

std::optional<kernels::Shape> dense_shape(const at::Tensor& x) {
  kernels::Shape shape{.n = x.size(0), .c = x.size(1)};
  for (std::int64_t dim = 2; dim < x.dim(); ++dim) shape.s *= x.size(dim);
  if (x.is_contiguous()) {
    shape.layout = kernels::Layout::kChannelsFirst;
  } else if (is_channels_last(x)) {
    shape.layout = kernels::Layout::kChannelsLast;
  } else {
    return std::nullopt;
  }
  return shape;
}

DenseBatch dense_batch(const at::Tensor& x) {
  if (const auto shape = dense_shape(x)) return {x, *shape};
  const at::Tensor copy = x.contiguous();
  return {copy, *dense_shape(copy)};
}

at::Tensor laid_out_like(const DenseBatch& batch, const at::Tensor& other) {
  const auto shape = dense_shape(other);
  // With one channel or one position both layouts are the same memory.
  if (shape && (shape->layout == batch.shape.layout || shape->c == 1 || shape->s == 1)) return other;
  return at::empty_like(batch.tensor, other.options()).copy_(other);
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
