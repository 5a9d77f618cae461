// Batch normalization as functions of tensors, differentiable any number of times; from C++. The same functions are
// registered as libtorch operators (bnlab/ops/library.cpp), which Python and TorchScript call.
// Source: Ioffe & Szegedy 2015, Algorithm 1; the kernels are those of bnlab/kernels/batch_norm.h.
//
// x: (N,C) or (N,C,*) of rank 2 to 5, float, double, bfloat16 or float16, on the CPU. Contiguous and channels-last
// batches are read where they lie and y has the strides of x; any other order is first made contiguous. gamma, beta:
// (C), of x's type (float for an x of 16 bits; x's own is taken too), or undefined for 1 and 0. Results are bitwise the
// same for any number of threads.
//
// First and second derivatives come from the kernels. Higher ones are composed of ATen operators, which autograd
// differentiates to any order.
#pragma once

#include <ATen/core/Tensor.h>

namespace bnlab::ops {

/// What follows the normalization inside the same pass over memory.
struct Epilogue {
  bool relu = false;
  at::Tensor addend = {};  ///< like x, added before the ReLU; needs relu. Undefined for none
};

struct BatchNormOutput {
  at::Tensor y;           ///< like x
  at::Tensor mean;        ///< (C) double, no gradient: the batch's mean
  at::Tensor var_biased;  ///< (C) double, no gradient: mean of (x - mean)^2; times n/(n-1) it is the unbiased variance
};

/// Per channel: y = gamma*(x - mean)/sqrt(var_biased + eps) + beta with the batch's own statistics, then the epilogue.
/// A constant channel gives beta. NaN and infinities make their channel NaN and no other.
/// Keeps for the backward pass: x, and a bit per element if there is a ReLU; neither y nor the addend.
/// Errors: wrong rank, type, device, or sizes; eps negative or not finite; fewer than two values per channel.
[[nodiscard]] BatchNormOutput batch_norm_training(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta,
                                                  double eps, const Epilogue& epilogue = {});

/// Per channel: y = gamma*(x - running_mean)/sqrt(running_var + eps) + beta, then the epilogue.
/// running_mean, running_var: (C) float, double, bfloat16 or float16, constants of the differentiation. The batch may
/// be empty. Errors: as above but for the number of values; statistics that require a gradient.
[[nodiscard]] at::Tensor batch_norm_evaluation(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta,
                                               const at::Tensor& running_mean, const at::Tensor& running_var,
                                               double eps, const Epilogue& epilogue = {});

}  // namespace bnlab::ops
