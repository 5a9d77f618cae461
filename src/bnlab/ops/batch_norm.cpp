#include "bnlab/ops/batch_norm.h"

#include <ATen/ATen.h>

#include <utility>

#include "bnlab/ops/checks.h"
#include "bnlab/ops/library.h"

namespace bnlab::ops {

BatchNormOutput batch_norm_training(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta, double eps,
                                    const Epilogue& epilogue) {
  check_batch("bnlab::batch_norm_training", x);
  auto [y, mean, rstd, var_biased, relu_mask] = dispatched::batch_norm_training.call(
      x, if_defined(gamma), if_defined(beta), if_defined(epilogue.addend), epilogue.relu, eps, /*save_mask=*/false);
  return {.y = std::move(y), .mean = std::move(mean), .var_biased = std::move(var_biased)};
}

at::Tensor batch_norm_evaluation(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta,
                                 const at::Tensor& running_mean, const at::Tensor& running_var, double eps,
                                 const Epilogue& epilogue) {
  constexpr const char* kName = "bnlab::batch_norm_evaluation";
  check_batch(kName, x);
  check_eps(kName, eps);
  for (const auto& [what, values] : {std::pair{"running_mean", running_mean}, std::pair{"running_var", running_var}}) {
    TORCH_CHECK(values.defined(), kName, ": expected ", what, ", got an undefined tensor.");
    check_vector(kName, what, values, x);
    check_constant(kName, what, values);
  }
  const auto [mean, rstd] = dispatched::evaluation_statistics.call(running_mean, running_var, eps);
  return std::get<0>(dispatched::batch_norm_evaluation.call(x, if_defined(gamma), if_defined(beta), mean, rstd,
                                                            if_defined(epilogue.addend), epilogue.relu,
                                                            /*save_mask=*/false));
}

}  // namespace bnlab::ops
