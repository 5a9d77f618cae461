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

  const Cut parts = cut(shape, sizeof(E));
  const MomentsPass<E> pass(parts, *inner);
  if (!pass) return Status::kOutOfMemory;
  one_pass(parts, runner, [&](const Place& place) { pass.reduce(place, x); });
  pass.join(all_slots(parts), moments);
  return Status::kOk;
}

template Status channel_moments(const Shape&, const float*, Moments*, TaskRunner&) noexcept;
template Status channel_moments(const Shape&, const double*, Moments*, TaskRunner&) noexcept;
template Status channel_moments(const Shape&, const BFloat16*, Moments*, TaskRunner&) noexcept;

}  // namespace bnlab::kernels
