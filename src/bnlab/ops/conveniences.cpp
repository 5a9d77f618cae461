#include "bnlab/ops/conveniences.h"

#include <ATen/ATen.h>

#include "bnlab/kernels/instruction_set.h"
#include "bnlab/ops/batch_layout.h"
#include "bnlab/ops/batch_norm.h"
#include "bnlab/ops/checks.h"
#include "bnlab/ops/library.h"
#include "bnlab/version.h"

namespace bnlab::ops {
namespace {

at::Tensor fused_batch_norm(const char* name, const at::Tensor& x, const OptionalTensor& weight,
                            const OptionalTensor& bias, const OptionalTensor& running_mean,
                            const OptionalTensor& running_var, bool training, double momentum, double eps,
                            const Epilogue& epilogue) {
  TORCH_CHECK(running_mean.has_value() == running_var.has_value(), name,
              ": expected running_mean and running_var, or neither; got one of them.");
  const at::Tensor gamma = value_or_undefined(weight), beta = value_or_undefined(bias);
  if (!training) {
    TORCH_CHECK(running_mean.has_value(), name, ": expected running_mean and running_var with training = false.");
    return batch_norm_evaluation(x, gamma, beta, *running_mean, *running_var, eps, epilogue);
  }
  if (running_mean.has_value()) {
    check_constant(name, "running_mean", *running_mean);
    check_constant(name, "running_var", *running_var);
  }
  const BatchNormOutput out = batch_norm_training(x, gamma, beta, eps, epilogue);
  if (running_mean.has_value() && x.sym_size(1) > 0) {
    dispatched::update_running_statistics.call(out.mean, out.var_biased, values_per_channel(x), momentum, *running_mean,
                                               *running_var, c10::nullopt, c10::nullopt, c10::nullopt, c10::nullopt,
                                               c10::nullopt, c10::nullopt);
  }
  return out.y;
}

}  // namespace

at::Tensor batch_norm(const at::Tensor& x, const OptionalTensor& weight, const OptionalTensor& bias,
                      const OptionalTensor& running_mean, const OptionalTensor& running_var, bool training,
                      double momentum, double eps) {
  return fused_batch_norm("bnlab::batch_norm", x, weight, bias, running_mean, running_var, training, momentum, eps, {});
}

at::Tensor batch_norm_relu(const at::Tensor& x, const OptionalTensor& weight, const OptionalTensor& bias,
                           const OptionalTensor& running_mean, const OptionalTensor& running_var, bool training,
                           double momentum, double eps) {
  return fused_batch_norm("bnlab::batch_norm_relu", x, weight, bias, running_mean, running_var, training, momentum, eps,
                          {.relu = true});
}

at::Tensor batch_norm_add_relu(const at::Tensor& x, const at::Tensor& addend, const OptionalTensor& weight,
                               const OptionalTensor& bias, const OptionalTensor& running_mean,
                               const OptionalTensor& running_var, bool training, double momentum, double eps) {
  return fused_batch_norm("bnlab::batch_norm_add_relu", x, weight, bias, running_mean, running_var, training, momentum,
                          eps, {.relu = true, .addend = addend});
}

std::string version() {
  return kVersion;
}

std::string instruction_set() {
  const char* name = kernels::instruction_set();
  check_status("bnlab::instruction_set", name == nullptr ? kernels::Status::kBadInstructionSet : kernels::Status::kOk);
  return name;
}

void use_instruction_set(std::string name) {
  std::string known;
  for (const char* each : kernels::instruction_sets()) known += (known.empty() ? "" : ", ") + std::string(each);
  TORCH_CHECK(kernels::use_instruction_set(name.c_str()) == kernels::Status::kOk,
              "bnlab::use_instruction_set: expected one of ", known, ", which this machine has; got \"", name, "\".");
}

}  // namespace bnlab::ops
