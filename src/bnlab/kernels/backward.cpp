#include "bnlab/kernels/batch_norm.h"
#include "bnlab/kernels/passes.h"
#include "bnlab/kernels/range.h"

namespace bnlab::kernels {
namespace {

constexpr std::array<double, 4> kOnlyAddend = {0, 1, 0, 0};  // coefficients that give dz

template <class E>
const std::uint8_t* mask_at(const Backward<E>& args, const Place& place) noexcept {
  return args.relu_mask ? args.relu_mask + place.mask : nullptr;
}

// The first pass, and its sums by channel.
template <class E>
class GradientSumsPass {
 public:
  using T = Compute<E>;

  GradientSumsPass(const Backward<E>& args, const Cut& parts, const Loops<E>& inner) noexcept
      : args_(args), parts_(parts), inner_(inner), center_(parts), partials_(parts), sums_(parts) {
    if (*this) {
      center_.fill(parts, [&](std::int64_t c) { return std::array<double, 1>{SplitMean<T>(args.mean[c]).rounded}; });
    }
  }

  explicit operator bool() const noexcept { return center_ && partials_ && sums_; }
  /// dz and dz*xhat.
  [[nodiscard]] const ChannelSums<2>& sums() const noexcept { return sums_; }

  void reduce(const Place& place) const noexcept {
    const E* x = args_.x ? args_.x : args_.dy;  // without x, dz*xhat is not wanted: any readable memory does
    inner_.gradient_sums(place.patch, {.x = x + place.element,
                                       .dy = args_.dy + place.element,
                                       .mask = mask_at(args_, place),
                                       .center = center_.at(place).at[0],
                                       .sum_dz = partials_.at(0, place.partial),
                                       .sum_dz_x = partials_.at(1, place.partial)});
  }

  /// Makes the sums of the channels, and their dgamma and dbeta.
  void join() const noexcept {
    partials_.join(parts_, sums_);
    const ChannelRange range(parts_);
    const double *dz = sums_.begin(0), *mean = args_.mean + range.first, *rstd = args_.rstd + range.first;
    double* dz_xhat = sums_.begin(1);
    for (std::int64_t i = 0; i < range.count(); ++i) {
      dz_xhat[i] = (dz_xhat[i] - SplitMean<T>(mean[i]).rest * dz[i]) * rstd[i];
    }
    if (args_.dgamma) std::copy_n(dz_xhat, range.count(), args_.dgamma + range.first);
    if (args_.dbeta) std::copy_n(dz, range.count(), args_.dbeta + range.first);
  }

 private:
  const Backward<E>& args_;
  const Cut& parts_;
  const Loops<E>& inner_;
  SlotCoefficients<T, 1> center_;
  Partials<2> partials_;
  ChannelSums<2> sums_;
};

// What the second pass multiplies by, from a channel's sums over all elements, of which each is the share `part`.
template <class T>
std::array<double, 4> input_coefficients(double channel_mean, double rstd, double gamma, double dz, double dz_xhat,
                                         double part) noexcept {
  const SplitMean<T> mean(channel_mean);
  const double scale = gamma * rstd;
  const double slope = -scale * rstd * dz_xhat * part;
  return {mean.rounded, scale, slope, -scale * dz * part - slope * mean.rest};
}

// The second pass over a place. If the addend's gradient alone is wanted, it is written as dx with the coefficient 1.
template <class E>
void write_input_gradient(const Backward<E>& args, bool by_x, const Place& place,
                          const SlotCoefficients<Compute<E>, 4>& coefficients, const Loops<E>& inner) noexcept {
  if (!args.dx && !args.daddend) return;
  inner.input_gradient(place.patch, {.x = by_x && args.dx ? args.x + place.element : nullptr,
                                     .dy = args.dy + place.element,
                                     .mask = mask_at(args, place),
                                     .a = coefficients.at(place),
                                     .dx = (args.dx ? args.dx : args.daddend) + place.element,
                                     .daddend = args.dx && args.daddend ? args.daddend + place.element : nullptr});
}

template <class E>
void write_zeros(const Backward<E>& args) noexcept {
  if (args.dgamma) std::fill_n(args.dgamma, args.shape.c, Compute<E>(0));
  if (args.dbeta) std::fill_n(args.dbeta, args.shape.c, Compute<E>(0));
}

}  // namespace

template <class E>
Status backward_training(const Backward<E>& args, TaskRunner& runner) noexcept {
  using T = Compute<E>;
  const Shape& shape = args.shape;
  if (!shape.valid()) return Status::kBadShape;
  if (shape.c == 0) return Status::kOk;
  if (shape.count() == 0) return Status::kEmptyBatch;
  const Loops<E>* inner = loops<E>();
  if (!inner) return Status::kBadInstructionSet;

  const double part = 1.0 / static_cast<double>(shape.count());
  return for_slabs(cut(shape, sizeof(E)), runner, [&](const Cut& parts, TaskRunner& threads) noexcept {
    if (!all_in_range<T>(parts, args.mean, args.rstd)) return Status::kOutOfRange;
    const GradientSumsPass<E> pass(args, parts, *inner);
    const SlotCoefficients<T, 4> coefficients(parts);
    if (!pass || !coefficients) return Status::kOutOfMemory;
    const auto finish = [&] {
      pass.join();
      coefficients.fill(parts, [&](std::int64_t c) {
        if (!args.dx) return kOnlyAddend;
        return input_coefficients<T>(args.mean[c], args.rstd[c], value_or(args.gamma, c, 1.0), pass.sums().at(0, c),
                                     pass.sums().at(1, c), part);
      });
    };
    two_passes(
        parts, threads, [&](const Place& place) { pass.reduce(place); }, finish,
        [&](const Place& place) { write_input_gradient(args, /*by_x=*/true, place, coefficients, *inner); });
    return Status::kOk;
  });
}

template <class E>
Status backward_evaluation(const Backward<E>& args, TaskRunner& runner) noexcept {
  const Shape& shape = args.shape;
  if (!shape.valid()) return Status::kBadShape;
  if (shape.elements() == 0) {
    write_zeros(args);
    return Status::kOk;
  }
  const Loops<E>* inner = loops<E>();
  if (!inner) return Status::kBadInstructionSet;

  const bool sums = args.dgamma || args.dbeta;
  const Cut by_channel = cut(shape, sizeof(E));
  return for_slabs(sums ? by_channel : in_memory_order(by_channel, args.relu_mask != nullptr), runner,
                   [&](const Cut& parts, TaskRunner& threads) noexcept {
                     if (!all_in_range<Compute<E>>(parts, args.mean, args.rstd)) return Status::kOutOfRange;
                     const GradientSumsPass<E> pass(args, parts, *inner);
                     const SlotCoefficients<Compute<E>, 4> coefficients(parts);
                     if (!pass || !coefficients) return Status::kOutOfMemory;
                     coefficients.fill(parts, [&](std::int64_t c) {
                       return std::array<double, 4>{0, args.dx ? value_or(args.gamma, c, 1.0) * args.rstd[c] : 1, 0, 0};
                     });
                     one_pass(parts, threads, [&](const Place& place) {
                       if (sums) pass.reduce(place);
                       write_input_gradient(args, /*by_x=*/false, place, coefficients, *inner);
                     });
                     if (sums) pass.join();
                     return Status::kOk;
                   });
}

template <class E>
Status backward_sums(const BackwardSums<E>& args, TaskRunner& runner) noexcept {
  const Shape& shape = args.shape;
  if (!shape.valid()) return Status::kBadShape;
  if (shape.elements() == 0) {
    std::fill_n(args.sum_dz, shape.c, 0.0);
    std::fill_n(args.sum_dz_xhat, shape.c, 0.0);
    return Status::kOk;
  }
  const Loops<E>* inner = loops<E>();
  if (!inner) return Status::kBadInstructionSet;

  Backward<E> read;
  read.shape = shape;
  read.x = args.x;
  read.dy = args.dy;
  read.mean = args.mean;
  read.rstd = args.rstd;
  read.relu_mask = args.relu_mask;
  return for_slabs(cut(shape, sizeof(E)), runner, [&](const Cut& parts, TaskRunner& threads) noexcept {
    if (!all_in_range<Compute<E>>(parts, args.mean, args.rstd)) return Status::kOutOfRange;
    const GradientSumsPass<E> pass(read, parts, *inner);
    if (!pass) return Status::kOutOfMemory;
    one_pass(parts, threads, [&](const Place& place) { pass.reduce(place); });
    pass.join();
    const ChannelRange range(parts);
    std::copy_n(pass.sums().begin(0), range.count(), args.sum_dz + range.first);
    std::copy_n(pass.sums().begin(1), range.count(), args.sum_dz_xhat + range.first);
    return Status::kOk;
  });
}

template <class E>
Status backward_by_sums(const BackwardBySums<E>& args, TaskRunner& runner) noexcept {
  using T = Compute<E>;
  const Shape& shape = args.shape;
  if (!shape.valid()) return Status::kBadShape;
  if (shape.elements() == 0) return Status::kOk;
  if (args.count < shape.count()) return Status::kBadShape;
  const Loops<E>* inner = loops<E>();
  if (!inner) return Status::kBadInstructionSet;

  Backward<E> read;
  read.shape = shape;
  read.x = args.x;
  read.dy = args.dy;
  read.relu_mask = args.relu_mask;
  read.dx = args.dx;
  read.daddend = args.daddend;
  const double part = 1.0 / static_cast<double>(args.count);
  return for_slabs(in_memory_order(cut(shape, sizeof(E)), args.relu_mask != nullptr), runner,
                   [&](const Cut& parts, TaskRunner& threads) noexcept {
                     if (!all_in_range<T>(parts, args.mean, args.rstd)) return Status::kOutOfRange;
                     const SlotCoefficients<T, 4> coefficients(parts);
                     if (!coefficients) return Status::kOutOfMemory;
                     coefficients.fill(parts, [&](std::int64_t c) {
                       if (!args.dx) return kOnlyAddend;
                       return input_coefficients<T>(args.mean[c], args.rstd[c], value_or(args.gamma, c, 1.0),
                                                    args.sum_dz[c], args.sum_dz_xhat[c], part);
                     });
                     one_pass(parts, threads, [&](const Place& place) {
                       write_input_gradient(read, /*by_x=*/true, place, coefficients, *inner);
                     });
                     return Status::kOk;
                   });
}

#define BNLAB_INSTANTIATE(E)                                                     \
  template Status backward_training(const Backward<E>&, TaskRunner&) noexcept;   \
  template Status backward_evaluation(const Backward<E>&, TaskRunner&) noexcept; \
  template Status backward_sums(const BackwardSums<E>&, TaskRunner&) noexcept;   \
  template Status backward_by_sums(const BackwardBySums<E>&, TaskRunner&) noexcept;
BNLAB_INSTANTIATE(float)
BNLAB_INSTANTIATE(double)
BNLAB_INSTANTIATE(BFloat16)
BNLAB_INSTANTIATE(Float16)
#undef BNLAB_INSTANTIATE

}  // namespace bnlab::kernels
