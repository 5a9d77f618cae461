#include <cmath>

#include "bnlab/kernels/batch_norm.h"
#include "bnlab/kernels/moments_pass.h"
#include "bnlab/kernels/range.h"

namespace bnlab::kernels {
namespace {

// (x - a0)*a1 + a2 = gamma*(x - mean)*rstd + beta, for each channel; see Normalize.
template <class Args>
auto normalization(const Args& args) noexcept {
  using T = std::remove_cvref_t<decltype(*args.gamma)>;
  return [&args](std::int64_t c) {
    const SplitMean<T> mean(args.mean[c]);
    const double scale = value_or(args.gamma, c, 1.0) * args.rstd[c];
    return std::array<double, 3>{mean.rounded, scale, value_or(args.beta, c, 0.0) - mean.rest * scale};
  };
}

// The second pass over a place.
template <class E, class Args>
void normalize(const Args& args, const Place& place, const SlotCoefficients<Compute<E>, 3>& coefficients,
               const Loops<E>& inner) noexcept {
  const bool relu = args.fusion != Fusion::kNone;
  inner.normalize(place.patch, {.x = args.x + place.element,
                                .a = coefficients.at(place),
                                .relu = relu,
                                .addend = args.fusion == Fusion::kAddRelu ? args.addend + place.element : nullptr,
                                .y = args.y + place.element,
                                .mask = relu && args.relu_mask ? args.relu_mask + place.mask : nullptr});
}

}  // namespace

std::size_t relu_mask_bytes(const Shape& shape) noexcept {
  if (!shape.valid() || shape.elements() == 0) return 0;
  constexpr std::size_t kReadAhead = 8;  // a mask is read in units of up to eight bytes
  return static_cast<std::size_t>(cut(shape, 1).mask_bytes()) + kReadAhead;
}

template <class E>
Status forward_training(const ForwardTraining<E>& args, TaskRunner& runner) noexcept {
  const Shape& shape = args.shape;
  if (!shape.valid()) return Status::kBadShape;
  if (!(args.eps >= 0) || std::isinf(args.eps)) return Status::kBadEps;
  if (shape.c == 0) return Status::kOk;
  if (shape.count() == 0) return Status::kEmptyBatch;
  const Loops<E>* inner = loops<E>();
  if (!inner) return Status::kBadInstructionSet;

  const auto count = static_cast<double>(shape.count());
  return for_slabs(cut(shape, sizeof(E)), runner, [&](const Cut& parts, TaskRunner& threads) noexcept {
    const MomentsPass<E> pass(parts, *inner);
    const SlotCoefficients<Compute<E>, 3> coefficients(parts);
    if (!pass || !coefficients) return Status::kOutOfMemory;
    bool serves = true;
    const auto finish = [&] {
      pass.join(args.mean, args.var_biased);
      const ChannelRange range(parts);
      inner->deviations(range.count(), count, args.eps, args.var_biased + range.first, args.rstd + range.first);
      serves = statistics_in_range(shape, args.x, range.first, range.count(), args.mean + range.first,
                                   args.var_biased + range.first, args.rstd + range.first);
      coefficients.fill(parts, normalization(args));
    };
    two_passes(
        parts, threads, [&](const Place& place) { pass.reduce(place, args.x); }, finish,
        [&](const Place& place) {
          if (serves) normalize(args, place, coefficients, *inner);
        });
    return serves ? Status::kOk : Status::kOutOfRange;
  });
}

template <class E>
Status forward_evaluation(const ForwardEvaluation<E>& args, TaskRunner& runner) noexcept {
  if (!args.shape.valid()) return Status::kBadShape;
  if (args.shape.elements() == 0) return Status::kOk;
  const Loops<E>* inner = loops<E>();
  if (!inner) return Status::kBadInstructionSet;
  const Cut all = in_memory_order(cut(args.shape, sizeof(E)), args.relu_mask != nullptr);
  return for_slabs(all, runner, [&](const Cut& parts, TaskRunner& threads) noexcept {
    if (!all_in_range<Compute<E>>(parts, args.mean, args.rstd)) return Status::kOutOfRange;
    const SlotCoefficients<Compute<E>, 3> coefficients(parts);
    if (!coefficients) return Status::kOutOfMemory;
    coefficients.fill(parts, normalization(args));
    one_pass(parts, threads, [&](const Place& place) { normalize(args, place, coefficients, *inner); });
    return Status::kOk;
  });
}

#define BNLAB_INSTANTIATE(E)                                                         \
  template Status forward_training(const ForwardTraining<E>&, TaskRunner&) noexcept; \
  template Status forward_evaluation(const ForwardEvaluation<E>&, TaskRunner&) noexcept;
BNLAB_INSTANTIATE(float)
BNLAB_INSTANTIATE(double)
BNLAB_INSTANTIATE(BFloat16)
BNLAB_INSTANTIATE(Float16)
#undef BNLAB_INSTANTIATE

}  // namespace bnlab::kernels
