#include "bnlab/ops/checks.h"

#include <ATen/ATen.h>

#include <cmath>

#include "bnlab/kernels/batch_norm.h"
#include "bnlab/ops/batch_layout.h"
#include "bnlab/ops/element_type.h"

namespace bnlab::ops {

void check_status(const char* name, kernels::Status status) {
  TORCH_CHECK(status == kernels::Status::kOk, name, ": ", kernels::message(status), ".");
}

void check_batch(const char* name, const at::Tensor& x) {
  TORCH_CHECK(x.defined(), name, ": expected a batch x, got an undefined tensor.");
  TORCH_CHECK(x.dim() >= 2 && x.dim() <= 5, name, ": expected x of rank 2 to 5, (N,C) or (N,C,*), got sizes ",
              x.sym_sizes(), ".");
  TORCH_CHECK(x.layout() == at::kStrided, name, ": expected a dense x, got ", x.layout(), ".");
  TORCH_CHECK(is_element(x.scalar_type()), name, ": expected x of type ", kElementTypes, ", got ", x.scalar_type(),
              ".");
}

void check_vector(const char* name, const char* what, const at::Tensor& values, const at::Tensor& x) {
  TORCH_CHECK(values.dim() == 1 && values.sym_size(0) == x.sym_size(1), name, ": expected ", what, " of size (",
              x.sym_size(1), "), one value per channel of x, got ", values.sym_sizes(), ".");
  TORCH_CHECK(values.device() == x.device(), name, ": expected ", what, " on x's device ", x.device(), ", got ",
              values.device(), ".");
}

void check_parameter(const char* name, const char* what, const OptionalTensor& values, const at::Tensor& x) {
  if (!values.has_value()) return;
  check_vector(name, what, *values, x);
  const at::ScalarType type = values->scalar_type(), own = x.scalar_type(), computed = compute_type(own);
  TORCH_CHECK(type == own || type == computed, name, ": expected ", what, " of x's type ", own,
              own == computed ? "" : " or Float", ", got ", type, ".");
}

void check_statistics(const char* name, const char* what, const at::Tensor& values, const at::Tensor& x) {
  check_vector(name, what, values, x);
  TORCH_CHECK(values.scalar_type() == at::kDouble, name, ": expected ", what, " of type Double, got ",
              values.scalar_type(), ".");
}

void check_like(const char* name, const char* what, const at::Tensor& values, const at::Tensor& x) {
  TORCH_CHECK(values.sym_sizes() == x.sym_sizes(), name, ": expected ", what, " of x's sizes ", x.sym_sizes(), ", got ",
              values.sym_sizes(), ".");
  TORCH_CHECK(values.scalar_type() == x.scalar_type(), name, ": expected ", what, " of x's type ", x.scalar_type(),
              ", got ", values.scalar_type(), ".");
  TORCH_CHECK(values.layout() == at::kStrided && values.device() == x.device(), name, ": expected a dense ", what,
              " on x's device ", x.device(), ", got ", values.layout(), " on ", values.device(), ".");
}

void check_addend(const char* name, const OptionalTensor& addend, bool relu, const at::Tensor& x) {
  if (!addend.has_value()) return;
  TORCH_CHECK(relu, name, ": expected relu with an addend, got relu = false; add outside of this operator.");
  check_like(name, "addend", *addend, x);
}

void check_forward(const char* name, const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                   const OptionalTensor& addend, bool relu) {
  check_batch(name, x);
  check_parameter(name, "gamma", gamma, x);
  check_parameter(name, "beta", beta, x);
  check_addend(name, addend, relu, x);
}

void check_saved(const char* name, const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                 const at::Tensor& mean, const at::Tensor& rstd) {
  check_batch(name, x);
  check_like(name, "dy", dy, x);
  check_parameter(name, "gamma", gamma, x);
  check_statistics(name, "mean", mean, x);
  check_statistics(name, "rstd", rstd, x);
}

void check_cotangents(const char* name, const OptionalTensor& ddx, const OptionalTensor& ddgamma,
                      const OptionalTensor& ddbeta, const OptionalTensor& ddaddend, const at::Tensor& x) {
  if (ddx.has_value()) check_like(name, "ddx", *ddx, x);
  if (ddaddend.has_value()) check_like(name, "ddaddend", *ddaddend, x);
  if (ddgamma.has_value()) check_vector(name, "ddgamma", *ddgamma, x);
  if (ddbeta.has_value()) check_vector(name, "ddbeta", *ddbeta, x);
}

void check_constant(const char* name, const char* what, const at::Tensor& values) {
  TORCH_CHECK(!(at::GradMode::is_enabled() && values.requires_grad()), name, ": expected ", what,
              " to be a constant, got a tensor that requires a gradient; detach it.");
  TORCH_CHECK(!has_tangent(values), name, ": expected ", what,
              " to be a constant, got a tensor with a forward-mode tangent; detach it.");
}

void check_eps(const char* name, double eps) {
  TORCH_CHECK(eps >= 0 && std::isfinite(eps), name, ": expected a finite eps >= 0, got ", eps, ".");
}

void check_enough_values(const char* name, const at::Tensor& x) {
  const c10::SymInt channels = x.sym_size(1), count = values_per_channel(x);
  TORCH_CHECK(channels == 0 || count > 1, name, ": expected at least 2 values per channel, got ", count,
              " in x of sizes ", x.sym_sizes(),
              "; a single value has no variance. Use larger batches, drop the last incomplete batch of an epoch, or"
              " normalize by running statistics, as a layer that tracks them does in evaluation mode.");
}

void check_mask(const char* name, const OptionalTensor& relu_mask, const at::Tensor& x) {
  if (!relu_mask.has_value()) return;
  const at::Tensor& mask = *relu_mask;
  const c10::SymInt first = mask_bytes(x, kernels::Layout::kChannelsFirst);
  const c10::SymInt last = mask_bytes(x, kernels::Layout::kChannelsLast);
  TORCH_CHECK(mask.scalar_type() == at::kByte && mask.dim() == 1 && mask.is_contiguous() &&
                  mask.device() == x.device() && (mask.sym_size(0) == first || mask.sym_size(0) == last),
              name, ": expected relu_mask as the forward pass gives it for x of these sizes, ", first, " or ", last,
              " contiguous bytes, or none without a ReLU; got ", mask.sym_numel(), " of type ", mask.scalar_type(),
              ".");
}

}  // namespace bnlab::ops
