// The table of loops over elements of type BNLAB_ELEMENT, for one instruction set.
#if defined(BNLAB_KERNELS_LOOPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef BNLAB_KERNELS_LOOPS_INL_H_
#undef BNLAB_KERNELS_LOOPS_INL_H_
#else
#define BNLAB_KERNELS_LOOPS_INL_H_
#endif

#include "bnlab/kernels/column_loops-inl.h"
#include "bnlab/kernels/lanes-inl.h"
#include "bnlab/kernels/loops.h"
#include "bnlab/kernels/run_loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bnlab::kernels {
namespace HWY_NAMESPACE {
namespace {

using E = BNLAB_ELEMENT;
using T = Compute<E>;

// Calls f.template operator()<flags...>() with run-time flags made constants.
template <bool... kKnown, class F>
HWY_INLINE void with_flags(const F& f) {
  f.template operator()<kKnown...>();
}
template <bool... kKnown, class F, class... Flags>
HWY_INLINE void with_flags(const F& f, bool first, Flags... others) {
  first ? with_flags<kKnown..., true>(f, others...) : with_flags<kKnown..., false>(f, others...);
}

template <std::size_t K, class Op, class Fetch>
HWY_INLINE void map(const Patch& patch, const Coefficients<T, K>& coefficients, const Op& op, const Fetch& fetch) {
  patch.run == 1 ? column::map(patch, coefficients, op) : run::map(patch, coefficients, op, fetch);
}

template <std::size_t kWidth, std::size_t K, class Op, class Fetch>
HWY_INLINE void reduce(const Patch& patch, const T* center, double* const (&totals)[K], const Op& op,
                       const Fetch& fetch) {
  if (patch.run == 1) {
    column::reduce<kWidth>(patch, center, totals, op, fetch);
  } else {
    run::reduce(patch, center, totals, op, fetch);
  }
}

// Asks memory for element i of some arrays.
auto fetch_of(const auto*... arrays) {
  return [=](std::int64_t i) BNLAB_INLINE_LAMBDA { (hwy::Prefetch(arrays + i), ...); };
}

void moments(const Patch& patch, const E* x, double* mean, double* m2) noexcept {
  const auto add = [x](auto d, auto center, std::int64_t at, std::int64_t, std::int64_t, auto& sums)
                       BNLAB_INLINE_LAMBDA {
                         const auto distance = hn::Sub(load(d, x + at), center);
                         sums[0] = hn::Add(sums[0], distance);
                         sums[1] = hn::MulAdd(distance, distance, sums[1]);
                       };
  const auto fetch = fetch_of(x);
  patch.run == 1 ? column::moments<4>(patch, x, mean, m2, add, fetch) : run::moments(patch, x, mean, m2, add, fetch);
}

bool stores_around(const Patch& patch, const E* out) noexcept {
  return patch.streams && can_store_around(out, patch.row_stride) &&
         (patch.run == 1 || can_store_around(out, patch.run));
}

void normalize(const Patch& patch, const Normalize<E>& args) noexcept {
  const auto run = [&]<bool kRelu, bool kAdd, bool kAround>() BNLAB_INLINE_LAMBDA {
    map(
        patch, args.a,
        [&](auto d, const auto& a, std::int64_t at, std::int64_t line, std::int64_t first) BNLAB_INLINE_LAMBDA {
          auto z = hn::MulAdd(hn::Sub(load(d, args.x + at), a[0]), a[1], a[2]);
          if constexpr (kAdd) z = hn::Add(z, load(d, args.addend + at));
          if constexpr (kRelu) {
            const auto stops = hn::Le(z, hn::Set(d, kStoredAsZero<E>));
            if (args.mask) store_mask(d, stops, args.mask + line, first);
            z = hn::IfThenZeroElse(stops, z);
          }
          store_around<kAround>(d, z, args.y + at);
        },
        fetch_of(args.x));
    if constexpr (kAround) hwy::FlushStream();
  };
  const bool around = stores_around(patch, args.y);
  if (!args.relu) {
    with_flags<false, false>(run, around);
  } else {
    with_flags<true>(run, args.addend != nullptr, around);
  }
}

void gradient_sums(const Patch& patch, const GradientSums<E>& args) noexcept {
  const auto run = [&]<bool kMask>() BNLAB_INLINE_LAMBDA {
    const auto add = [&](auto d, auto center, std::int64_t at, std::int64_t line, std::int64_t first,
                         auto& sums) BNLAB_INLINE_LAMBDA {
      const auto dz = let_through<kMask>(d, load(d, args.dy + at), kMask ? args.mask + line : nullptr, first);
      sums[0] = hn::Add(sums[0], dz);
      sums[1] = hn::MulAdd(dz, hn::Sub(load(d, args.x + at), center), sums[1]);
    };
    reduce<4>(patch, args.center, {args.sum_dz, args.sum_dz_x}, add, fetch_of(args.x, args.dy));
  };
  with_flags(run, args.mask != nullptr);
}

void input_gradient(const Patch& patch, const InputGradient<E>& args) noexcept {
  const auto run = [&]<bool kMask, bool kX, bool kAround>() BNLAB_INLINE_LAMBDA {
    map(
        patch, args.a,
        [&](auto d, const auto& a, std::int64_t at, std::int64_t line, std::int64_t first) BNLAB_INLINE_LAMBDA {
          const auto dz = let_through<kMask>(d, load(d, args.dy + at), kMask ? args.mask + line : nullptr, first);
          auto dx = hn::Mul(dz, a[1]);
          if constexpr (kX) dx = hn::MulAdd(dz, a[1], hn::MulAdd(hn::Sub(load(d, args.x + at), a[0]), a[2], a[3]));
          store_around<kAround>(d, dx, args.dx + at);
          if (args.daddend) store_around<kAround>(d, dz, args.daddend + at);
        },
        fetch_of(kX ? args.x : args.dy, args.dy));
    if constexpr (kAround) hwy::FlushStream();
  };
  const bool around = stores_around(patch, args.dx) && (!args.daddend || stores_around(patch, args.daddend));
  with_flags(run, args.mask != nullptr, args.x != nullptr, around);
}

void second_sums(const Patch& patch, const SecondSums<E>& args) noexcept {
  const auto run = [&]<bool kMask>() BNLAB_INLINE_LAMBDA {
    const auto add = [&](auto d, auto center, std::int64_t at, std::int64_t line, std::int64_t first,
                         auto& sums) BNLAB_INLINE_LAMBDA {
      const auto dz = let_through<kMask>(d, load(d, args.dy + at), kMask ? args.mask + line : nullptr, first);
      const auto v = load(d, args.ddx + at), distance = hn::Sub(load(d, args.x + at), center);
      sums[0] = hn::Add(sums[0], v);
      sums[1] = hn::Add(sums[1], dz);
      sums[2] = hn::MulAdd(v, distance, sums[2]);
      sums[3] = hn::MulAdd(dz, distance, sums[3]);
      sums[4] = hn::MulAdd(v, dz, sums[4]);
    };
    reduce<2>(patch, args.center, args.sums, add, fetch_of(args.x, args.dy, args.ddx));
  };
  with_flags(run, args.mask != nullptr);
}

void second_gradients(const Patch& patch, const SecondGradients<E>& args) noexcept {
  const auto run = [&]<bool kMask>() BNLAB_INLINE_LAMBDA {
    map(
        patch, args.a,
        [&](auto d, const auto& a, std::int64_t at, std::int64_t line, std::int64_t first) BNLAB_INLINE_LAMBDA {
          const std::uint8_t* bits = kMask ? args.mask + line : nullptr;
          const auto distance = hn::Sub(load(d, args.x + at), a[0]), v = load(d, args.ddx + at);
          if (args.grad_x) {
            const auto dz = let_through<kMask>(d, load(d, args.dy + at), bits, first);
            const auto rest = hn::MulAdd(dz, a[3], hn::MulAdd(v, a[2], a[4]));
            store(d, hn::MulAdd(distance, a[1], rest), args.grad_x + at);
          }
          if (args.grad_dy) {
            auto by_dz = hn::MulAdd(distance, a[5], hn::MulAdd(v, a[6], a[7]));
            if (args.ddaddend) by_dz = hn::Add(by_dz, load(d, args.ddaddend + at));
            store(d, let_through<kMask>(d, by_dz, bits, first), args.grad_dy + at);
          }
        },
        fetch_of(args.x, args.ddx, args.dy));
  };
  with_flags(run, args.mask != nullptr);
}

void join_moments(std::int64_t slots, double run, double rows_before, double rows, const double* HWY_RESTRICT mean,
                  const double* HWY_RESTRICT m2, double* HWY_RESTRICT all_mean, double* HWY_RESTRICT all_m2) noexcept {
  const double weight = rows / (rows_before + rows);
  const double product = rows_before * weight * run;
  for (std::int64_t j = 0; j < slots; ++j) {
    const double delta = mean[j] - all_mean[j];
    all_mean[j] += delta * weight;
    all_m2[j] += m2[j] + delta * delta * product;
  }
}

void deviations(std::int64_t channels, double count, double eps, double* m2, double* rstd) noexcept {
  for_lanes<double>(0, channels, [&](auto d, std::int64_t c) BNLAB_INLINE_LAMBDA {
    const auto var = hn::Div(load(d, m2 + c), hn::Set(d, count));
    store(d, var, m2 + c);
    store(d, hn::Div(hn::Set(d, 1.0), hn::Sqrt(hn::Add(var, hn::Set(d, eps)))), rstd + c);
  });
}

const Loops<E>* table() {
  static constexpr Loops<E> kTable = {kInstructionSet, moments,          normalize,    gradient_sums, input_gradient,
                                      second_sums,     second_gradients, join_moments, deviations};
  return &kTable;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace bnlab::kernels
HWY_AFTER_NAMESPACE();

#endif  // BNLAB_KERNELS_LOOPS_INL_H_
