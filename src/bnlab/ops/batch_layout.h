// Tensors as the kernels see them: (N,C) or (N,C,*) of rank 2 to 5, dense, channels first or last.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "bnlab/kernels/shape.h"

namespace bnlab::ops {

/// The layout of a tensor that kernels can read where it lies; nothing if it has gaps or another order.
/// x: rank 2 to 5; sizes and strides may be symbolic.
[[nodiscard]] std::optional<kernels::Layout> dense_layout(const at::Tensor& x);

/// A batch in a layout that kernels can read.
struct DenseBatch {
  at::Tensor tensor;
  kernels::Layout layout;

  /// Of a tensor without symbolic sizes.
  [[nodiscard]] kernels::Shape shape() const;
};

/// x itself where it is dense, else a contiguous copy. x: rank 2 to 5; sizes may be symbolic.
[[nodiscard]] DenseBatch dense_batch(const at::Tensor& x);

/// x's elements over its channels; 0 without channels.
[[nodiscard]] c10::SymInt values_per_channel(const at::Tensor& x);

/// The bytes of a ReLU's mask as the operators hand it on: the kernels' (relu_mask_bytes(), rounded up to whole bytes
/// per row of a layout, so that symbolic sizes have it too), and a last one that names the layout.
[[nodiscard]] c10::SymInt mask_bytes(const at::Tensor& x, kernels::Layout layout);

/// `other`, of the same sizes, with the strides of batch: itself or a copy.
[[nodiscard]] at::Tensor laid_out_like(const DenseBatch& batch, const at::Tensor& other);

/// A vector (C) seen as (1,C,1,…) of the given rank, to be broadcast against a batch.
[[nodiscard]] at::Tensor per_channel(const at::Tensor& values, std::int64_t rank);

/// All dimensions but the channels'.
[[nodiscard]] std::vector<std::int64_t> batch_dims(std::int64_t rank);

}  // namespace bnlab::ops
