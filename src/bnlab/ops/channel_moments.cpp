#include "bnlab/ops/channel_moments.h"

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include <vector>

#include "bnlab/kernels/moments.h"
#include "bnlab/ops/batch_layout.h"
#include "bnlab/ops/checks.h"
#include "bnlab/ops/element_type.h"
#include "bnlab/ops/library.h"
#include "bnlab/ops/task_runner.h"

namespace bnlab::ops {
namespace {

constexpr const char* kMomentsName = "bnlab::channel_moments";

}  // namespace

Pair native::channel_moments(const at::Tensor& x) {
  check_batch(kMomentsName, x);
  const auto options = x.options().dtype(at::kDouble);
  const at::Tensor mean = at::empty_symint({x.sym_size(1)}, options), m2 = at::empty_symint({x.sym_size(1)}, options);
  if (x.is_meta()) return {mean, m2};

  const DenseBatch batch = dense_batch(x);
  std::vector<kernels::Moments> moments(static_cast<std::size_t>(x.size(1)));
  with_element(x.scalar_type(), [&](auto element) {
    AtTaskRunner runner;
    check_status(kMomentsName,
                 kernels::channel_moments(batch.shape(), data_or_null<const decltype(element)>(batch.tensor),
                                          moments.data(), runner));
  });
  auto* to_mean = mean.data_ptr<double>();
  auto* to_m2 = m2.data_ptr<double>();
  for (const kernels::Moments& channel : moments) {
    *to_mean++ = channel.mean;
    *to_m2++ = channel.m2;
  }
  return {mean, m2};
}

Pair autograd::channel_moments(const at::Tensor& x) {
  check_constant(kMomentsName, "x", x);
  const at::AutoDispatchBelowADInplaceOrView below;
  return dispatched::channel_moments.call(x);
}

Pair composed::channel_moments(const at::Tensor& x) {
  check_batch(kMomentsName, x);
  const at::Tensor wide = x.to(at::kDouble);
  const std::vector<std::int64_t> dims = batch_dims(x.dim());
  const at::Tensor mean = wide.mean(dims), deviation = wide - per_channel(mean, x.dim());
  return {mean, (deviation * deviation).sum(dims)};
}

}  // namespace bnlab::ops
