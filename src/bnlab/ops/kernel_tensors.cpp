#include "bnlab/ops/kernel_tensors.h"

#include <ATen/ATen.h>

#include "bnlab/kernels/batch_norm.h"
#include "bnlab/ops/batch_norm_kernels.h"
#include "bnlab/ops/caching_allocator.h"
#include "bnlab/ops/checks.h"

namespace bnlab::ops::native {
namespace {

std::uint8_t* last_byte(const at::Tensor& mask) {
  return static_cast<std::uint8_t*>(mask.data_ptr()) + mask.numel() - 1;
}

/// A forward pass's mask, as kernels read it beside this batch. Where x was laid out in another way in between, as
/// compilers do, it is written anew.
at::Tensor mask_beside(const char* name, const DenseBatch& batch, const at::Tensor& mask) {
  const at::Tensor& x = batch.tensor;
  if (x.is_meta()) return mask;
  const auto layout = static_cast<kernels::Layout>(*last_byte(mask));
  const bool same = layout == batch.layout;
  at::Tensor ones = same ? x : at::ones(x.sizes(), x.options());
  if (!same && layout == kernels::Layout::kChannelsLast) ones = ones.movedim(1, -1).contiguous().movedim(-1, 1);
  TORCH_CHECK(dense_layout(ones) == layout && mask.numel() == mask_bytes(x, layout), name,
              ": expected relu_mask as the forward pass gives it for x of these sizes, got other bytes.");
  if (same) return mask;
  const at::Tensor zeros = at::zeros({x.size(1)}, x.options().dtype(at::kDouble));
  constexpr WantedGradients kOnlyAddend{false, false, false, true};
  const at::Tensor passes =
      std::get<3>(batch_norm_evaluation_backward(ones, ones, c10::nullopt, zeros, zeros, mask, kOnlyAddend));
  return mask_of_result(laid_out_like(batch, passes));
}

}  // namespace

bool out_of_range(const char* name, kernels::Status status) {
  if (status == kernels::Status::kOutOfRange) return true;
  check_status(name, status);
  return false;
}

at::Tensor dense_parameter(const OptionalTensor& values, const at::Tensor& x) {
  return values.has_value() ? values->to(compute_type(x.scalar_type())).contiguous() : at::Tensor();
}

void take(at::TensorList results, at::TensorList composed) {
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].defined()) results[i].copy_(composed[i]);
  }
}

at::Tensor dense_or_undefined(const OptionalTensor& values, const DenseBatch& batch) {
  return values.has_value() ? laid_out_like(batch, *values) : at::Tensor();
}

at::Tensor empty_mask(const DenseBatch& batch) {
  const at::Tensor& x = batch.tensor;
  at::Tensor mask = at::empty_symint({mask_bytes(x, batch.layout)}, x.options().dtype(at::kByte));
  if (!x.is_meta()) {
    constexpr std::size_t kReadAhead = 8;
    const std::size_t read = kernels::relu_mask_bytes(batch.shape());
    mask.slice(0, read > 0 ? static_cast<std::int64_t>(read - kReadAhead) : 0).zero_();
    *last_byte(mask) = static_cast<std::uint8_t>(batch.layout);
  }
  return mask;
}

at::Tensor mask_of_result(const at::Tensor& y) {
  const auto channel = [&](double value) { return at::full({y.size(1)}, value, y.options().dtype(at::kDouble)); };
  return std::get<1>(batch_norm_evaluation(y, c10::nullopt, c10::nullopt, channel(0), channel(1), c10::nullopt,
                                           /*relu=*/true, /*save_mask=*/true));
}

SavedTensors::SavedTensors(const char* name, const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                           const at::Tensor& mean, const at::Tensor& rstd, const OptionalTensor& relu_mask) {
  check_saved(name, dy, x, gamma, mean, rstd);
  batch = dense_batch(x);
  check_mask(name, relu_mask, x);
  dy_ = laid_out_like(batch, dy);
  gamma_ = dense_parameter(gamma, x);
  mean_ = mean.contiguous();
  rstd_ = rstd.contiguous();
  if (relu_mask.has_value()) relu_mask_ = mask_beside(name, batch, *relu_mask);
}

}  // namespace bnlab::ops::native
