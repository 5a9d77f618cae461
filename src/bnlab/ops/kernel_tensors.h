// Tensors as kernels take them, shared by the operators' native functions.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "bnlab/kernels/status.h"
#include "bnlab/ops/batch_layout.h"
#include "bnlab/ops/element_type.h"
#include "bnlab/ops/signatures.h"

namespace bnlab::ops::native {

/// Whether the composed operators must do what the kernels do not serve; other errors are thrown.
[[nodiscard]] bool out_of_range(const char* name, kernels::Status status);

/// gamma, beta, ddgamma or ddbeta as kernels read it; undefined where not given.
[[nodiscard]] at::Tensor dense_parameter(const OptionalTensor& values, const at::Tensor& x);

/// Copies what the composed operators return to the results as the kernels lay them out; undefined ones are left out.
void take(at::TensorList results, at::TensorList composed);

/// With the strides of the batch; undefined where not given.
[[nodiscard]] at::Tensor dense_or_undefined(const OptionalTensor& values, const DenseBatch& batch);

/// A mask with its layout noted, and 0 in the bytes that no kernel writes; a batch without elements has no other.
[[nodiscard]] at::Tensor empty_mask(const DenseBatch& batch);

/// The mask of a forward pass whose result is y = 0 where the ReLU stopped it.
[[nodiscard]] at::Tensor mask_of_result(const at::Tensor& y);

/// What a derivative reads: the batch that the forward pass saw, what it saved, and dy.
class SavedTensors {
 public:
  /// Errors as check_saved() and check_mask() throw them.
  SavedTensors(const char* name, const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
               const at::Tensor& mean, const at::Tensor& rstd, const OptionalTensor& relu_mask);

  /// Sets what all derivatives read, gamma excepted.
  template <class Arguments>
  void fill_saved(Arguments& args) const {
    using E = std::remove_const_t<std::remove_pointer_t<decltype(args.x)>>;
    args.shape = batch.shape();
    args.x = data_or_null<const E>(batch.tensor);
    args.dy = data_or_null<const E>(dy_);
    args.mean = data_or_null<const double>(mean_);
    args.rstd = data_or_null<const double>(rstd_);
    args.relu_mask = data_or_null<const std::uint8_t>(relu_mask_);
  }
  /// ... and gamma.
  template <class E, template <class> class Arguments>
  void fill(Arguments<E>& args) const {
    fill_saved(args);
    args.gamma = data_or_null<const kernels::Compute<E>>(gamma_);
  }

  DenseBatch batch;

 private:
  at::Tensor dy_, gamma_, mean_, rstd_, relu_mask_;
};

}  // namespace bnlab::ops::native
