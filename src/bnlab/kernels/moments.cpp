#include "bnlab/kernels/moments.h"

#include <algorithm>

#include "bnlab/kernels/moments_pass.h"

namespace bnlab::kernels {

template <class E>
Status channel_moments(const Shape& shape, const E* x, Moments* moments, TaskRunner& runner) noexcept {
  if (!shape.valid()) return Status::kBadShape;
  const Loops<E>* inner = loops<E>();
  if (!inner) return Status::kBadInstructionSet;
  std::fill_n(moments, shape.c, Moments{});
  if (shape.elements() == 0) return Status::kOk;

  const Scratch<double> mean(shape.c), m2(shape.c);
  if (!mean || !m2) return Status::kOutOfMemory;
  const Status status = for_slabs(cut(shape, sizeof(E)), runner, [&](const Cut& parts, TaskRunner& threads) noexcept {
    const MomentsPass<E> pass(parts, *inner);
    if (!pass) return Status::kOutOfMemory;
    one_pass(parts, threads, [&](const Place& place) { pass.reduce(place, x); });
    pass.join(mean.data(), m2.data());
    return Status::kOk;
  });
  if (status != Status::kOk) return status;
  for (std::int64_t c = 0; c < shape.c; ++c) moments[c] = {shape.count(), mean[c], m2[c]};
  return Status::kOk;
}

template Status channel_moments(const Shape&, const float*, Moments*, TaskRunner&) noexcept;
template Status channel_moments(const Shape&, const double*, Moments*, TaskRunner&) noexcept;
template Status channel_moments(const Shape&, const BFloat16*, Moments*, TaskRunner&) noexcept;
template Status channel_moments(const Shape&, const Float16*, Moments*, TaskRunner&) noexcept;

}  // namespace bnlab::kernels
