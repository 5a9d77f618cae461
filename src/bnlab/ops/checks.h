// What the operators ask of their arguments. Each function throws c10::Error with one sentence that begins with `name`,
// the operator's, and says what was expected and what came. Sizes may be symbolic.
#pragma once

#include <ATen/core/Tensor.h>

#include "bnlab/kernels/status.h"
#include "bnlab/ops/signatures.h"

namespace bnlab::ops {

void check_status(const char* name, kernels::Status status);

/// A batch (N,C) or (N,C,*) of rank 2 to 5, dense storage, float, double, bfloat16 or float16.
void check_batch(const char* name, const at::Tensor& x);

/// (C) on x's device, of any type.
void check_vector(const char* name, const char* what, const at::Tensor& values, const at::Tensor& x);

/// gamma or beta: not given, or (C) of x's type, or float for an x of 16 bits.
void check_parameter(const char* name, const char* what, const OptionalTensor& values, const at::Tensor& x);

/// mean or rstd: (C) double.
void check_statistics(const char* name, const char* what, const at::Tensor& values, const at::Tensor& x);

/// dy, ddx, addend, ...: sizes, type and device of x.
void check_like(const char* name, const char* what, const at::Tensor& values, const at::Tensor& x);

void check_addend(const char* name, const OptionalTensor& addend, bool relu, const at::Tensor& x);

/// The tensors of a forward pass.
void check_forward(const char* name, const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                   const OptionalTensor& addend, bool relu);

/// The tensors of a derivative but for the mask: what the forward pass saw and saved, and dy.
void check_saved(const char* name, const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                 const at::Tensor& mean, const at::Tensor& rstd);

/// The cotangents of a second derivative.
void check_cotangents(const char* name, const OptionalTensor& ddx, const OptionalTensor& ddgamma,
                      const OptionalTensor& ddbeta, const OptionalTensor& ddaddend, const at::Tensor& x);

/// Has no derivative to carry on: does not require a gradient while gradients are recorded, and has no forward-mode
/// tangent.
void check_constant(const char* name, const char* what, const at::Tensor& values);

/// Finite and not negative.
void check_eps(const char* name, double eps);

/// At least two values per channel.
void check_enough_values(const char* name, const at::Tensor& x);

/// Not given, or as many bytes as a forward pass saves for a batch of x's sizes, in either layout.
void check_mask(const char* name, const OptionalTensor& relu_mask, const at::Tensor& x);

}  // namespace bnlab::ops
