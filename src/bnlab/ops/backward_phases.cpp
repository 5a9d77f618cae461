#include "bnlab/ops/backward_phases.h"

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include "bnlab/kernels/batch_norm.h"
#include "bnlab/ops/batch_norm_composed.h"
#include "bnlab/ops/caching_allocator.h"
#include "bnlab/ops/checks.h"
#include "bnlab/ops/kernel_tensors.h"
#include "bnlab/ops/library.h"
#include "bnlab/ops/task_runner.h"

namespace bnlab::ops {
namespace {

constexpr const char* kSumsName = "bnlab::batch_norm_backward_sums";
constexpr const char* kBySumsName = "bnlab::batch_norm_backward_by_sums";

void check_sums(const at::Tensor& sum_dz, const at::Tensor& sum_dz_xhat, const c10::SymInt& count,
                const at::Tensor& x) {
  check_statistics(kBySumsName, "sum_dz", sum_dz, x);
  check_statistics(kBySumsName, "sum_dz_xhat", sum_dz_xhat, x);
  TORCH_CHECK(count >= values_per_channel(x), kBySumsName, ": expected count of all parts, at least the ",
              values_per_channel(x), " of this one, got ", count, ".");
}

}  // namespace

Pair native::batch_norm_backward_sums(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean,
                                      const at::Tensor& rstd, const OptionalTensor& relu_mask) {
  const SavedTensors saved(kSumsName, dy, x, c10::nullopt, mean, rstd, relu_mask);
  const auto options = x.options().dtype(at::kDouble);
  const at::Tensor sum_dz = at::empty_symint({x.sym_size(1)}, options);
  const at::Tensor sum_dz_xhat = at::empty_symint({x.sym_size(1)}, options);
  if (x.is_meta()) return {sum_dz, sum_dz_xhat};
  bool beyond = false;
  with_element(x.scalar_type(), [&](auto element) {
    kernels::BackwardSums<decltype(element)> args;
    saved.fill_saved(args);
    args.sum_dz = data_or_null<double>(sum_dz);
    args.sum_dz_xhat = data_or_null<double>(sum_dz_xhat);
    AtTaskRunner runner;
    beyond = out_of_range(kSumsName, kernels::backward_sums(args, runner));
  });
  return beyond ? composed::batch_norm_backward_sums(dy, x, mean, rstd, relu_mask) : Pair{sum_dz, sum_dz_xhat};
}

Pair native::batch_norm_backward_by_sums(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                         const at::Tensor& mean, const at::Tensor& rstd,
                                         const OptionalTensor& relu_mask, const at::Tensor& sum_dz,
                                         const at::Tensor& sum_dz_xhat, c10::SymInt count, WantedByPart wanted) {
  const SavedTensors saved(kBySumsName, dy, x, gamma, mean, rstd, relu_mask);
  check_sums(sum_dz, sum_dz_xhat, count, x);
  at::Tensor dx, daddend;
  if (wanted[0]) dx = empty_like_kept(saved.batch.tensor);
  if (wanted[1]) daddend = empty_like_kept(saved.batch.tensor);
  if (x.is_meta()) return {dx, daddend};
  const at::Tensor dense_dz = sum_dz.contiguous(), dense_dz_xhat = sum_dz_xhat.contiguous();
  bool beyond = false;
  with_element(x.scalar_type(), [&](auto element) {
    using E = decltype(element);
    kernels::BackwardBySums<E> args;
    saved.fill(args);
    args.sum_dz = data_or_null<const double>(dense_dz);
    args.sum_dz_xhat = data_or_null<const double>(dense_dz_xhat);
    args.count = count.guard_int(__FILE__, __LINE__);
    args.dx = data_or_null<E>(dx);
    args.daddend = data_or_null<E>(daddend);
    AtTaskRunner runner;
    beyond = out_of_range(kBySumsName, kernels::backward_by_sums(args, runner));
  });
  if (beyond) {
    const auto [dx_, daddend_] =
        composed::batch_norm_backward_by_sums(dy, x, gamma, mean, rstd, relu_mask, sum_dz, sum_dz_xhat, count, wanted);
    take({dx, daddend}, {dx_, daddend_});
  }
  return {dx, daddend};
}

Pair autograd::batch_norm_backward_sums(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean,
                                        const at::Tensor& rstd, const OptionalTensor& relu_mask) {
  check_constant(kSumsName, "dy", dy);
  check_constant(kSumsName, "x", x);
  check_constant(kSumsName, "mean", mean);
  check_constant(kSumsName, "rstd", rstd);
  const at::AutoDispatchBelowADInplaceOrView below;
  return dispatched::batch_norm_backward_sums.call(dy, x, mean, rstd, relu_mask);
}

Pair autograd::batch_norm_backward_by_sums(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                           const at::Tensor& mean, const at::Tensor& rstd,
                                           const OptionalTensor& relu_mask, const at::Tensor& sum_dz,
                                           const at::Tensor& sum_dz_xhat, c10::SymInt count, WantedByPart wanted) {
  check_constant(kBySumsName, "dy", dy);
  check_constant(kBySumsName, "x", x);
  if (gamma.has_value()) check_constant(kBySumsName, "gamma", *gamma);
  check_constant(kBySumsName, "mean", mean);
  check_constant(kBySumsName, "rstd", rstd);
  check_constant(kBySumsName, "sum_dz", sum_dz);
  check_constant(kBySumsName, "sum_dz_xhat", sum_dz_xhat);
  const at::AutoDispatchBelowADInplaceOrView below;
  return dispatched::batch_norm_backward_by_sums.call(dy, x, gamma, mean, rstd, relu_mask, sum_dz, sum_dz_xhat, count,
                                                      wanted);
}

}  // namespace bnlab::ops
