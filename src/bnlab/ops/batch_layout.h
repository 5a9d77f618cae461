// Tensors as the kernels see them: (N,C) or (N,C,*) of rank 2 to 5, dense, channels first or last.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "bnlab/kernels/shape.h"

namespace bnlab::ops {

/// The layout of a tensor that kernels can read where it lies; nothing if it has gaps or another order.
/// x: rank 2 to 5.
[[nodiscard]] std::optional<kernels::Shape> dense_shape(const at::Tensor& x);

/// A batch in a layout that kernels can read.
struct DenseBatch {
  at::Tensor tensor;
  kernels::Shape shape;
};

/// x itself where it is dense, else a contiguous copy. x: rank 2 to 5.
[[nodiscard]] DenseBatch dense_batch(const at::Tensor& x);

/// `other`, of the same sizes, with the strides of batch: itself or a copy.
[[nodiscard]] at::Tensor laid_out_like(const DenseBatch& batch, const at::Tensor& other);

/// A vector (C) seen as (1,C,1,…) of the given rank, to be broadcast against a batch.
[[nodiscard]] at::Tensor per_channel(const at::Tensor& values, std::int64_t rank);

/// All dimensions but the channels'.
[[nodiscard]] std::vector<std::int64_t> batch_dims(std::int64_t rank);

}  // namespace bnlab::ops
