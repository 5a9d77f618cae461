// How far a result may lie from the oracle's: bounds from rounding-error analysis, per element or per channel.
// Source: Higham, "Accuracy and Stability of Numerical Algorithms", chapters 3 and 4.
//
// Results are computed by multiply-adds whose coefficients come from sums. Each bound is the sum of the magnitudes of
// the terms, times the rounding unit, times a small number for elementwise operations or `growth` for sums. A bound is
// infinite where the computation may leave the range of its type: nothing is promised there.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/oracle/batch_norm_oracle.h"

namespace bnlab::oracle {

/// The arithmetic of an implementation.
struct Precision {
  double unit = 0;           ///< half the distance from 1 to the next number
  double tiny = 0;           ///< the smallest denormal
  double most = 0;           ///< the largest number
  double growth = 8;         ///< roundings that a sum's terms pass through
  double cancellation = 66;  ///< sum of squares about the shift / sum of squares about the mean
};

template <class T>
Precision precision_of() {
  using Limits = std::numeric_limits<T>;
  return {Limits::epsilon() / 2, Limits::denorm_min(), Limits::max()};
}

/// A bound, or infinity if it, or a magnitude behind it, is near the end of the range.
inline double bound(const Precision& p, double magnitude, double value) {
  return magnitude < p.most / 64 && value < p.most / 64 ? value : std::numeric_limits<double>::infinity();
}

/// Magnitudes of one channel: means of |g|, |g*h|, |v|, |v*h|, |v*g|; deviations from the mean.
struct Magnitudes {
  double g = 0, g_h = 0, v = 0, v_h = 0, v_g = 0;
  double most_deviation = 0;

  /// |xhat| as the arithmetic sees it: elements are compared with a mean that is rounded first.
  [[nodiscard]] double h(double x) const { return std::abs(x - mean) * rstd + rounded * rstd; }
  double mean = 0, rstd = 0, rounded = 0;
  double mean_h = 0;  ///< |mean of xhat|: 0 but for the rounding of the given mean
};

inline Magnitudes magnitudes(const Precision& p, const Batch& x, const Statistics& statistics, std::int64_t channel,
                             const std::vector<double>& g, const std::vector<double>& v) {
  const auto k = static_cast<std::size_t>(channel);
  Magnitudes m;
  m.mean = statistics.mean[k];
  m.rstd = statistics.rstd[k];
  m.rounded = 2 * p.unit * std::abs(m.mean);
  const auto count = static_cast<double>(x.n * x.s);
  long double sum = 0;
  for_channel(x, channel, [&](std::size_t i) {
    sum += static_cast<long double>(x.values[i]) - m.mean;
    const double h = m.h(x.values[i]);
    const double size_g = g.empty() ? 0 : std::abs(g[i]), size_v = v.empty() ? 0 : std::abs(v[i]);
    m.most_deviation = std::max(m.most_deviation, std::abs(x.values[i] - m.mean));
    m.g += size_g / count;
    m.g_h += size_g * h / count;
    m.v += size_v / count;
    m.v_h += size_v * h / count;
    m.v_g += size_v * size_g / count;
  });
  m.mean_h = static_cast<double>(std::abs(sum)) * m.rstd / count;
  return m;
}

/// Of mean, var_biased and rstd against statistics(x, eps).
inline Statistics statistics_bounds(const Precision& p, const Batch& x, const Statistics& exact, double eps) {
  constexpr double kDouble = std::numeric_limits<double>::epsilon();
  Statistics out;
  const auto count = static_cast<double>(x.n * x.s);
  for (std::int64_t c = 0; c < x.c; ++c) {
    const auto k = static_cast<std::size_t>(c);
    const Magnitudes m = magnitudes(p, x, exact, c, {}, {});
    const double var = exact.var_biased[k], size = std::abs(m.mean) + m.most_deviation;
    const double shift_error = 4 * p.unit * size;
    const double mean = p.growth * (p.unit * (2 * m.most_deviation + shift_error) + kDouble * size + p.tiny);
    const double squares = p.growth * p.unit * (p.cancellation * var + shift_error * shift_error);
    const double merging = p.growth * kDouble * size * m.most_deviation;
    const double of_var = m.most_deviation == 0 ? 0 : squares + merging + mean * mean + p.tiny;
    const double sum_of_squares = count * (4 * m.most_deviation * m.most_deviation + shift_error * shift_error);
    out.mean.push_back(m.most_deviation == 0 ? 0 : bound(p, size, mean));
    out.var_biased.push_back(bound(p, sum_of_squares, of_var));
    const double relative = of_var / (var + eps);
    out.rstd.push_back(bound(p, sum_of_squares, relative < 0.25 ? m.rstd * (relative + 4 * kDouble) : INFINITY));
  }
  return out;
}

/// Of y against forward() with the same statistics. `addend` may be empty.
inline std::vector<double> forward_bounds(const Precision& p, const Batch& x, const Statistics& statistics,
                                          const std::vector<double>& gamma, const std::vector<double>& beta,
                                          const std::vector<double>& addend) {
  std::vector<double> out(x.values.size());
  for (std::int64_t c = 0; c < x.c; ++c) {
    const auto k = static_cast<std::size_t>(c);
    const double scale = std::abs(gamma[k]) * statistics.rstd[k], mean = std::abs(statistics.mean[k]);
    for_channel(x, c, [&](std::size_t i) {
      const double distance = std::abs(x.values[i] - statistics.mean[k]);
      const double size = scale * distance + std::abs(beta[k]) + (addend.empty() ? 0 : std::abs(addend[i]));
      const double value = 8 * p.unit * size + 4 * p.unit * p.unit * mean * scale + 4 * p.tiny * (1 + distance + scale);
      out[i] = bound(p, std::max({size, scale, distance}), value);
    });
  }
  return out;
}

/// Of the results of backward() with the same statistics.
inline Gradients backward_bounds(const Precision& p, const Batch& x, const std::vector<double>& dz,
                                 const Statistics& statistics, const std::vector<double>& gamma, bool training) {
  Gradients out{std::vector<double>(x.values.size()), {}, {}};
  const auto count = static_cast<double>(x.n * x.s);
  for (std::int64_t c = 0; c < x.c; ++c) {
    const auto k = static_cast<std::size_t>(c);
    const Magnitudes m = magnitudes(p, x, statistics, c, dz, {});
    const double scale = std::abs(gamma[k]) * m.rstd;
    const double sums = training ? p.growth : 0;
    const double sum_bound = bound(p, count * m.g, p.growth * p.unit * count * m.g + p.tiny);
    const double product = count * m.g_h;
    const double product_bound = p.growth * p.unit * product + p.growth * p.tiny * count * m.rstd + p.tiny;
    out.dgamma.push_back(bound(p, std::max(product, product / m.rstd), product_bound));
    out.dbeta.push_back(sum_bound);
    for_channel(x, c, [&](std::size_t i) {
      const double h = m.h(x.values[i]), distance = h / m.rstd;
      const double through = sums > 0 ? m.g + h * m.g_h : 0;
      const double value = p.unit * scale * (8 * std::abs(dz[i]) + sums * through) +
                           4 * p.tiny * (1 + std::abs(dz[i]) + distance) +
                           sums * p.tiny * scale * (1 + m.rstd * (1 + h));
      const double largest_term = std::max({scale, scale * (std::abs(dz[i]) + through), distance, product / m.rstd,
                                            training ? scale * m.rstd * m.g_h : 0});
      out.dx[i] = bound(p, largest_term, value);
    });
  }
  return out;
}

/// Of the results of second_derivative() with the same statistics.
inline SecondGradients second_bounds(const Precision& p, const Batch& x, const std::vector<double>& dz,
                                     const Statistics& statistics, const std::vector<double>& gamma,
                                     const Cotangents& by, bool training) {
  SecondGradients out{std::vector<double>(x.values.size()), std::vector<double>(x.values.size()), {}};
  const auto of = [](const std::vector<double>& values, std::size_t i) {
    return values.empty() ? 0 : std::abs(values[i]);
  };
  const auto count = static_cast<double>(x.n * x.s);
  for (std::int64_t c = 0; c < x.c; ++c) {
    const auto k = static_cast<std::size_t>(c);
    const Magnitudes m = magnitudes(p, x, statistics, c, dz, by.ddx);
    const double r = m.rstd, scale = std::abs(gamma[k]) * r, a = of(by.ddgamma, k);
    const double inner = m.v_g + (training ? m.v * m.g + m.v_h * m.g_h : 0);
    const double x_h = training ? r * (2 * scale * m.v_h * m.g_h + a * m.g_h + scale * inner) : 0;
    const double x_v = training ? r * scale * m.g_h : 0;
    const double x_g = r * (a + (training ? scale * m.v_h : 0));
    const double x_one = training ? r * (scale * (m.v * m.g_h + m.g * m.v_h) + a * m.g) : 0;
    const double dz_h = a + (training ? scale * m.v_h : 0);
    const double dz_one = of(by.ddbeta, k) + (training ? scale * m.v : 0);
    // What the sums' underflows become in the coefficients.
    const double lost = p.tiny * (1 + r) * (1 + r) * (1 + scale) * (1 + a + m.v_h + m.g_h + m.v + m.g);
    const double largest_sum = count * std::max({m.g, m.v, m.v_g, m.g_h / r, m.v_h / r, inner});
    const double largest = std::max({largest_sum, x_h * r, x_v, x_g, x_one, dz_h * r, dz_one, scale});
    for_channel(x, c, [&](std::size_t i) {
      const double h = m.h(x.values[i]), g = std::abs(dz[i]), v = of(by.ddx, i);
      const double of_x = h * x_h + v * x_v + g * x_g + x_one;
      const double of_dz = h * dz_h + v * scale + dz_one + of(by.ddaddend, i);
      const double underflow = (4 * p.tiny + p.growth * lost) * (1 + h / r + h + v + g);
      const double most = std::max({largest, of_x, of_dz, h / r});
      out.grad_x[i] = bound(p, most, (8 + p.growth) * p.unit * of_x + 2 * m.mean_h * x_h + underflow);
      out.grad_dz[i] = bound(p, most, (8 + p.growth) * p.unit * of_dz + underflow);
    });
    out.grad_gamma.push_back(bound(p, std::max(largest_sum, r * count * inner),
                                   r * count * (p.growth * p.unit * inner + p.growth * lost) + p.tiny));
  }
  return out;
}

}  // namespace bnlab::oracle
