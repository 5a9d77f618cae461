// One batch with all arguments and results of the kernels, in memory that is not aligned to vectors.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "bnlab/kernels/batch_norm.h"
#include "tests/oracle/batch_norm_oracle.h"

namespace bnlab::kernels {

constexpr double kEps = 1e-5;

/// `size` values whose first is one element off every vector's alignment, between guards that writing past shows.
template <class T>
class Values {
 public:
  static constexpr T kGuard = T(-12345.5);

  explicit Values(std::int64_t size) : memory_(static_cast<std::size_t>(size) + 2, T(0)) {
    memory_.front() = kGuard;
    memory_.back() = kGuard;
  }
  explicit Values(const std::vector<double>& values) : Values(static_cast<std::int64_t>(values.size())) {
    std::transform(values.begin(), values.end(), data(), [](double v) { return static_cast<T>(v); });
  }

  T* data() { return memory_.data() + 1; }
  const T* data() const { return memory_.data() + 1; }
  [[nodiscard]] std::size_t size() const { return memory_.size() - 2; }
  T& operator[](std::size_t i) { return memory_[i + 1]; }
  const T& operator[](std::size_t i) const { return memory_[i + 1]; }
  [[nodiscard]] std::vector<double> doubles() const { return {data(), data() + size()}; }
  [[nodiscard]] bool guarded() const { return memory_.front() == kGuard && memory_.back() == kGuard; }

 private:
  std::vector<T> memory_;
};

inline std::string name_of(const Shape& shape) {
  std::ostringstream out;
  out << '(' << shape.n << ',' << shape.c << ',' << shape.s << ") "
      << (shape.layout == Layout::kChannelsLast ? "channels last" : "channels first");
  return out.str();
}

/// Random normal values; channel c of x has a mean of `mean_over_std` times its standard deviation.
template <class T>
struct BatchCase {
  Shape shape;
  Values<T> x, dy, gamma, beta;
  Values<T> y, dx, dgamma, dbeta;
  Values<double> mean, rstd, var_biased;

  explicit BatchCase(const Shape& s, double mean_over_std = 0.5)
      : shape(s),
        x(s.elements()),
        dy(s.elements()),
        gamma(s.c),
        beta(s.c),
        y(s.elements()),
        dx(s.elements()),
        dgamma(s.c),
        dbeta(s.c),
        mean(s.c),
        rstd(s.c),
        var_biased(s.c) {
    std::mt19937 random(static_cast<unsigned>(s.n * 7919 + s.c * 131 + s.s));
    std::normal_distribution<double> normal;
    for (std::int64_t c = 0; c < s.c; ++c) {
      gamma[static_cast<std::size_t>(c)] = static_cast<T>(1 + 0.5 * normal(random));
      beta[static_cast<std::size_t>(c)] = static_cast<T>(normal(random));
    }
    const oracle::Batch places = batch();
    for (std::int64_t c = 0; c < s.c; ++c) {
      const double scale = std::exp(normal(random));
      oracle::for_channel(places, c, [&](std::size_t i) {
        x[i] = static_cast<T>(scale * (mean_over_std + normal(random)));
        dy[i] = static_cast<T>(0.3 + normal(random));
      });
    }
  }

  [[nodiscard]] oracle::Batch batch() const {
    return {shape.n, shape.c, shape.s, shape.layout == Layout::kChannelsLast, x.doubles()};
  }

  [[nodiscard]] ForwardTraining<T> forward() {
    return {.shape = shape,
            .x = x.data(),
            .gamma = gamma.data(),
            .beta = beta.data(),
            .eps = kEps,
            .y = y.data(),
            .mean = mean.data(),
            .rstd = rstd.data(),
            .var_biased = var_biased.data()};
  }
  [[nodiscard]] ForwardEvaluation<T> evaluation() {
    return {.shape = shape,
            .x = x.data(),
            .gamma = gamma.data(),
            .beta = beta.data(),
            .mean = mean.data(),
            .rstd = rstd.data(),
            .y = y.data()};
  }
  [[nodiscard]] Backward<T> backward() {
    return {.shape = shape,
            .x = x.data(),
            .dy = dy.data(),
            .gamma = gamma.data(),
            .mean = mean.data(),
            .rstd = rstd.data(),
            .dx = dx.data(),
            .dgamma = dgamma.data(),
            .dbeta = dbeta.data()};
  }
  [[nodiscard]] bool guarded() const {
    return y.guarded() && dx.guarded() && dgamma.guarded() && dbeta.guarded() && mean.guarded() && rstd.guarded() &&
           var_biased.guarded();
  }
};

/// |got - expected| <= tolerance(i) everywhere; a NaN fails.
template <class Got, class Tolerance>
void expect_near(const Got& got, const std::vector<double>& expected, const char* what, const Tolerance& tolerance) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - expected[i]);
    if (!(error <= tolerance(i))) {
      FAIL() << what << "[" << i << "] is " << static_cast<double>(got[i]) << ", expected " << expected[i] << " within "
             << tolerance(i);
    }
  }
}

inline double largest(const std::vector<double>& values) {
  double most = 0;
  for (double value : values) most = std::max(most, std::abs(value));
  return most;
}

}  // namespace bnlab::kernels
