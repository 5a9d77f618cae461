// Where libtorch's optimizers keep what they know of a parameter.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/version.h>
#if TORCH_VERSION_MAJOR < 2
#include <c10/util/C++17.h>
#endif

namespace bnlab {

/// The key in Optimizer::state(): the parameter's address, as text before PyTorch 2.
inline auto state_key(const at::Tensor& parameter) {
#if TORCH_VERSION_MAJOR < 2
  return c10::guts::to_string(parameter.unsafeGetTensorImpl());
#else
  return static_cast<void*>(parameter.unsafeGetTensorImpl());
#endif
}

}  // namespace bnlab
