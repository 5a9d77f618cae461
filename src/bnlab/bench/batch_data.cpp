#include "bnlab/bench/batch_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <type_traits>

namespace bnlab::bench {
namespace {

using kernels::BFloat16;
using kernels::Compute;
using kernels::Float16;

/// Value i of a stream: splitmix64 (Steele, Lea & Flood 2014), whose four 16-bit parts are summed (Irwin-Hall).
double nearly_normal(std::uint64_t stream, std::uint64_t i) {
  std::uint64_t z = (stream << 48) + (i + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  const auto sum = static_cast<double>((z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48));
  return (sum / 65536 - 2) * std::sqrt(3.0);  // the sum of 4 uniforms has variance 1/3
}

enum Stream : std::uint64_t { kX, kDy, kAddend, kGamma, kBeta, kMean, kScale };

template <class E>
double zero_margin() {
  if (std::is_same_v<E, BFloat16>) return 0.1;
  return std::is_same_v<E, Float16> ? 0.0125 : 1e-4;  // three bits more than bfloat16's
}

/// One channel of one batch: strided runs of S neighbours.
struct Channel {
  std::int64_t n, stride, begin, s;

  template <class F>
  void for_each(const F& f) const {
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t first = i * stride + begin;
      for (std::int64_t k = first; k < first + s; ++k) f(static_cast<std::size_t>(k));
    }
  }
};

template <class E>
void fill_channel(BatchData<E>& batch, const NamedShape& shape, std::int64_t c) {
  const std::int64_t s = shape.h * shape.w;
  const Channel channel{shape.n, shape.c * s, c * s, s};
  const auto k = static_cast<std::size_t>(c);
  const double offset = nearly_normal(kMean, k), scale = 0.5 + std::abs(nearly_normal(kScale, k));
  double sum = 0, squares = 0;
  channel.for_each([&](std::size_t i) {
    batch.x[i] = static_cast<E>(static_cast<float>(offset + scale * nearly_normal(kX, i)));
    batch.dy[i] = static_cast<E>(static_cast<float>(nearly_normal(kDy, i)));
    batch.addend[i] = static_cast<E>(static_cast<float>(nearly_normal(kAddend, i)));
    sum += static_cast<double>(batch.x[i]);
  });
  const auto count = static_cast<double>(shape.count());
  const double mean = sum / count;
  channel.for_each([&](std::size_t i) { squares += std::pow(static_cast<double>(batch.x[i]) - mean, 2); });
  const double var_biased = squares / count;
  batch.gamma[k] = static_cast<Compute<E>>(1 + 0.2 * nearly_normal(kGamma, k));
  batch.beta[k] = static_cast<Compute<E>>(0.5 * nearly_normal(kBeta, k));
  batch.running_mean[k] = offset;
  batch.running_var[k] = scale * scale;
  const auto gamma = static_cast<double>(batch.gamma[k]), beta = static_cast<double>(batch.beta[k]);
  const double rstd = 1 / std::sqrt(var_biased + kEps);
  channel.for_each([&](std::size_t i) {
    const double z = gamma * (static_cast<double>(batch.x[i]) - mean) * rstd + beta;
    const double added = z + static_cast<double>(batch.addend[i]);
    if (std::min(std::abs(z), std::abs(added)) < zero_margin<E>()) batch.dy[i] = E();
  });
}

}  // namespace

template <class E>
BatchData<E> make_batch(const NamedShape& shape) {
  const auto elements = static_cast<std::size_t>(shape.elements()), channels = static_cast<std::size_t>(shape.c);
  BatchData<E> batch{Buffer<E>(elements),          Buffer<E>(elements),          Buffer<E>(elements),
                     Buffer<Compute<E>>(channels), Buffer<Compute<E>>(channels), Buffer<double>(channels),
                     Buffer<double>(channels)};
#pragma omp parallel for
  for (std::int64_t c = 0; c < shape.c; ++c) fill_channel(batch, shape, c);
  return batch;
}

template <class E>
double agreement_tolerance() {
  if (std::is_same_v<E, double>) return 1e-9;
  if (std::is_same_v<E, float>) return 1e-3;
  return std::is_same_v<E, Float16> ? 5e-3 : 4e-2;
}

template <class T>
void require_agreement(const std::string& what, const T* got, const T* expected, std::int64_t n, double tolerance,
                       double scale) {
  const auto agree = [&](std::int64_t i) {
    const auto want = static_cast<double>(expected[i]);
    return std::abs(static_cast<double>(got[i]) - want) <= tolerance * std::max(std::abs(want), scale);
  };
  std::int64_t first = n;
#pragma omp parallel for reduction(min : first)
  for (std::int64_t i = 0; i < n; ++i) {
    if (!agree(i)) first = std::min(first, i);
  }
  if (first == n) return;
  throw std::runtime_error(fmt::format("{}: element {} of {} is {:.9g}, not {:.9g}", what, first, n,
                                       static_cast<double>(got[first]), static_cast<double>(expected[first])));
}

template <class E>
void to_channels_last(const E* from, E* to, std::int64_t n, std::int64_t c, std::int64_t s) {
#pragma omp parallel for
  for (std::int64_t i = 0; i < n; ++i) {
    const E* source = from + i * c * s;
    E* target = to + i * c * s;
    for (std::int64_t j = 0; j < s; ++j) {
      for (std::int64_t k = 0; k < c; ++k) target[j * c + k] = source[k * s + j];
    }
  }
}

#define BNLAB_BENCH_INSTANTIATE(E)                                                                       \
  template BatchData<E> make_batch<E>(const NamedShape&);                                                \
  template double agreement_tolerance<E>();                                                              \
  template void require_agreement(const std::string&, const E*, const E*, std::int64_t, double, double); \
  template void to_channels_last(const E*, E*, std::int64_t, std::int64_t, std::int64_t);
BNLAB_BENCH_INSTANTIATE(float)
BNLAB_BENCH_INSTANTIATE(double)
BNLAB_BENCH_INSTANTIATE(BFloat16)
BNLAB_BENCH_INSTANTIATE(Float16)
#undef BNLAB_BENCH_INSTANTIATE

}  // namespace bnlab::bench
