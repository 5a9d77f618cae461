// One batch with all arguments and results of the kernels.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "bnlab/kernels/batch_norm.h"
#include "tests/kernels/values.h"
#include "tests/oracle/batch_norm_oracle.h"

namespace bnlab::kernels {

constexpr double kEps = 1e-5;
constexpr Layout kLayouts[] = {Layout::kChannelsFirst, Layout::kChannelsLast};
constexpr Fusion kFusions[] = {Fusion::kNone, Fusion::kRelu, Fusion::kAddRelu};

inline std::string name_of(const Shape& shape) {
  std::ostringstream out;
  out << '(' << shape.n << ',' << shape.c << ',' << shape.s << ") "
      << (shape.layout == Layout::kChannelsLast ? "channels last" : "channels first");
  return out.str();
}

inline std::string name_of(Fusion fusion) {
  return fusion == Fusion::kNone ? "plain" : fusion == Fusion::kRelu ? "relu" : "add and relu";
}

inline double largest(const std::vector<double>& values) {
  double most = 0;
  for (double value : values) most = std::max(most, std::abs(value));
  return most;
}

/// 1 or -1 so that, of any 2^k positions or samples that begin at a multiple of 2^k, and of any of these in steps of a
/// power of two, half have 1 and half -1: the Thue-Morse sequence in both directions.
inline double balanced_sign(std::int64_t n, std::int64_t s) {
  const int ones = std::popcount(static_cast<std::uint64_t>(n)) + std::popcount(static_cast<std::uint64_t>(s));
  return ones % 2 == 0 ? 1 : -1;
}

/// How results are stored as E.
struct Storage {
  const char* name = nullptr;
  double unit = 0;    ///< half the distance from 1 to the next number
  double least = 0;   ///< the smallest denormal
  double beyond = 0;  ///< the smallest that becomes infinite
};
template <class E>
inline constexpr Storage kStorage = {sizeof(E) == 8 ? "double" : "float", std::numeric_limits<E>::epsilon() / 2,
                                     std::numeric_limits<E>::denorm_min(), std::numeric_limits<E>::infinity()};
template <>
inline constexpr Storage kStorage<BFloat16> = {"bfloat16", 0x1p-8, 0x1p-133, 0x1.ffp127};
template <>
inline constexpr Storage kStorage<Float16> = {"float16", 0x1p-11, 0x1p-24, 65520};

/// The rounding of a result that is computed in Compute<E> and stored as E.
template <class E>
double storage_error(double value) {
  return std::is_same_v<E, Compute<E>> ? 0 : std::abs(value) * kStorage<E>.unit + kStorage<E>.least / 2;
}

/// |got - expected|, where an infinite `got` may stand for any number that E stores so.
template <class E>
double stored_distance(double got, double expected) {
  if (!std::isinf(got) || std::signbit(got) != std::signbit(expected)) return std::abs(got - expected);
  return std::max(0.0, kStorage<E>.beyond - std::abs(expected));
}

/// Random values that are correlated with each other, so that no mean or product that a formula needs is near 0.
/// Channel c of x has a mean of `mean_over_std` times its standard deviation.
template <class E>
struct BatchCase {
  using T = Compute<E>;

  Shape shape;
  Fusion fusion;
  Values<E> x, addend, dy, ddx, ddaddend;
  Values<T> gamma, beta, ddgamma, ddbeta;
  Values<E> y, dx, daddend, grad_x, grad_dy;
  Values<T> dgamma, dbeta, grad_gamma;
  Values<double> mean, rstd, var_biased;
  Values<std::uint8_t> mask;

  /// The elements begin `offset` elements after a multiple of 64 bytes.
  explicit BatchCase(const Shape& s, Fusion f = Fusion::kNone, double mean_over_std = 0.5, std::int64_t offset = 1)
      : shape(s),
        fusion(f),
        x(s.elements(), offset),
        addend(f == Fusion::kAddRelu ? s.elements() : 0, offset),
        dy(s.elements(), offset),
        ddx(s.elements(), offset),
        ddaddend(f == Fusion::kAddRelu ? s.elements() : 0, offset),
        gamma(s.c),
        beta(s.c),
        ddgamma(s.c),
        ddbeta(s.c),
        y(s.elements(), offset),
        dx(s.elements(), offset),
        daddend(f == Fusion::kAddRelu ? s.elements() : 0, offset),
        grad_x(s.elements(), offset),
        grad_dy(s.elements(), offset),
        dgamma(s.c),
        dbeta(s.c),
        grad_gamma(s.c),
        mean(s.c),
        rstd(s.c),
        var_biased(s.c),
        mask(static_cast<std::int64_t>(relu_mask_bytes(s)), offset) {
    std::mt19937 random(static_cast<unsigned>(s.n * 7919 + s.c * 131 + s.s));
    std::normal_distribution<float> normal;
    for (std::size_t c = 0; c < gamma.size(); ++c) {
      gamma[c] = static_cast<T>(1 + 0.5F * normal(random));
      beta[c] = static_cast<T>(normal(random));
      ddgamma[c] = static_cast<T>(normal(random));
      ddbeta[c] = static_cast<T>(normal(random));
    }
    for (std::int64_t c = 0; c < s.c; ++c) {
      const double scale = std::exp(normal(random));
      oracle::for_channel(places(), c, [&](std::size_t i) {
        const float h = normal(random), g = 0.3F + 0.5F * h + normal(random);
        x[i] = static_cast<E>(scale * (mean_over_std + h));
        dy[i] = static_cast<E>(g);
        ddx[i] = static_cast<E>(-0.2F + 0.4F * h + 0.3F * g + normal(random));
        if (f != Fusion::kAddRelu) return;
        addend[i] = static_cast<E>(normal(random));
        ddaddend[i] = static_cast<E>(normal(random));
      });
    }
  }

  /// The oracle's view of where elements lie, without values.
  [[nodiscard]] oracle::Batch places() const {
    return {shape.n, shape.c, shape.s, shape.layout == Layout::kChannelsLast};
  }
  [[nodiscard]] oracle::Batch batch() const {
    return {shape.n, shape.c, shape.s, shape.layout == Layout::kChannelsLast, x.doubles()};
  }
  [[nodiscard]] oracle::Statistics statistics() const { return {mean.doubles(), var_biased.doubles(), rstd.doubles()}; }
  [[nodiscard]] oracle::Cotangents cotangents() const {
    return {ddx.doubles(), ddgamma.doubles(), ddbeta.doubles(), ddaddend.doubles()};
  }

  /// Statistics for evaluation that are not the batch's.
  void set_running_statistics() {
    for (std::size_t c = 0; c < mean.size(); ++c) {
      mean[c] = 0.1 + 0.01 * static_cast<double>(c % 10);
      rstd[c] = 1 / (1 + 0.1 * static_cast<double>(c % 7));
    }
  }

  [[nodiscard]] ForwardTraining<E> forward() {
    return {.shape = shape,
            .x = x.data(),
            .gamma = gamma.data(),
            .beta = beta.data(),
            .eps = kEps,
            .fusion = fusion,
            .addend = addend_or_null(addend),
            .y = y.data(),
            .relu_mask = mask_or_null(),
            .mean = mean.data(),
            .rstd = rstd.data(),
            .var_biased = var_biased.data()};
  }
  [[nodiscard]] ForwardEvaluation<E> evaluation() {
    return {.shape = shape,
            .x = x.data(),
            .gamma = gamma.data(),
            .beta = beta.data(),
            .mean = mean.data(),
            .rstd = rstd.data(),
            .fusion = fusion,
            .addend = addend_or_null(addend),
            .y = y.data(),
            .relu_mask = mask_or_null()};
  }
  [[nodiscard]] Backward<E> backward() {
    return {.shape = shape,
            .x = x.data(),
            .dy = dy.data(),
            .gamma = gamma.data(),
            .mean = mean.data(),
            .rstd = rstd.data(),
            .relu_mask = mask_or_null(),
            .dx = dx.data(),
            .dgamma = dgamma.data(),
            .dbeta = dbeta.data(),
            .daddend = addend_or_null(daddend)};
  }
  [[nodiscard]] SecondDerivative<E> second() {
    return {.shape = shape,
            .x = x.data(),
            .dy = dy.data(),
            .gamma = gamma.data(),
            .mean = mean.data(),
            .rstd = rstd.data(),
            .relu_mask = mask_or_null(),
            .ddx = ddx.data(),
            .ddgamma = ddgamma.data(),
            .ddbeta = ddbeta.data(),
            .ddaddend = addend_or_null(ddaddend),
            .grad_x = grad_x.data(),
            .grad_dy = grad_dy.data(),
            .grad_gamma = grad_gamma.data()};
  }

  [[nodiscard]] bool guarded() const {
    return y.guarded() && dx.guarded() && daddend.guarded() && grad_x.guarded() && grad_dy.guarded() &&
           dgamma.guarded() && dbeta.guarded() && grad_gamma.guarded() && mean.guarded() && rstd.guarded() &&
           var_biased.guarded() && mask.guarded();
  }

  [[nodiscard]] bool same_results(const BatchCase& other) const {
    return same_bits(y, other.y) && same_bits(dx, other.dx) && same_bits(daddend, other.daddend) &&
           same_bits(grad_x, other.grad_x) && same_bits(grad_dy, other.grad_dy) && same_bits(dgamma, other.dgamma) &&
           same_bits(dbeta, other.dbeta) && same_bits(grad_gamma, other.grad_gamma) && same_bits(mean, other.mean) &&
           same_bits(rstd, other.rstd) && same_bits(var_biased, other.var_biased) && same_bits(mask, other.mask);
  }

 private:
  template <class V>
  auto addend_or_null(V& values) {
    return fusion == Fusion::kAddRelu ? values.data() : nullptr;
  }
  std::uint8_t* mask_or_null() { return fusion == Fusion::kNone ? nullptr : mask.data(); }
};

}  // namespace bnlab::kernels
