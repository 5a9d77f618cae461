// Operators in the shape of torch.nn.functional's, made of those in batch_norm.h; and what a user may ask of the
// library as a whole. Registered in library.cpp.
#pragma once

#include <string>

#include "bnlab/ops/signatures.h"

namespace bnlab::ops {

/// As torch.nn.functional.batch_norm: in training by the batch's own statistics, with the running ones, if given,
/// updated exponentially (running_statistics.h); else by the running ones, which must then be given.
at::Tensor batch_norm(const at::Tensor& x, const OptionalTensor& weight, const OptionalTensor& bias,
                      const OptionalTensor& running_mean, const OptionalTensor& running_var, bool training,
                      double momentum, double eps);

/// relu(batch_norm(x, …)) in one pass.
at::Tensor batch_norm_relu(const at::Tensor& x, const OptionalTensor& weight, const OptionalTensor& bias,
                           const OptionalTensor& running_mean, const OptionalTensor& running_var, bool training,
                           double momentum, double eps);

/// relu(batch_norm(x, …) + addend) in one pass; addend: like x, not broadcast.
at::Tensor batch_norm_add_relu(const at::Tensor& x, const at::Tensor& addend, const OptionalTensor& weight,
                               const OptionalTensor& bias, const OptionalTensor& running_mean,
                               const OptionalTensor& running_var, bool training, double momentum, double eps);

/// The project's version, e.g. "0.1.0".
std::string version();

/// The SIMD instructions in use: "avx512", "avx2", "sse4" or "portable". Throws after a bad BNLAB_FORCE_ISA.
std::string instruction_set();

/// Uses those instructions from now on; throws unless this processor and this build have them. For tests and
/// benchmarks; not while operators run.
void use_instruction_set(std::string name);

}  // namespace bnlab::ops
