// Batch normalization in the plainest way, in long double, to judge every implementation by.
// Source: Ioffe & Szegedy 2015, Algorithm 1 and the gradients of section 3. The second derivative is the chain rule
// applied backwards to the steps of backward(), one step after the other.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

namespace bnlab::oracle {

/// A batch of n x c x s values, stored as (N,C,S) or, if channels_last, as (N,S,C).
struct Batch {
  std::int64_t n = 0, c = 0, s = 0;
  bool channels_last = false;
  std::vector<double> values = {};

  [[nodiscard]] std::size_t index(std::int64_t sample, std::int64_t channel, std::int64_t position) const {
    return static_cast<std::size_t>(channels_last ? (sample * s + position) * c + channel
                                                  : (sample * c + channel) * s + position);
  }
};

struct Statistics {
  std::vector<double> mean, var_biased, rstd;
};

struct Gradients {
  std::vector<double> dx, dgamma, dbeta;
};

/// What a second derivative starts from; an empty vector means 0.
struct Cotangents {
  std::vector<double> ddx, ddgamma, ddbeta, ddaddend;
};

struct SecondGradients {
  std::vector<double> grad_x, grad_dz, grad_gamma;
};

/// Calls f(index) for every element of a channel.
template <class F>
void for_channel(const Batch& x, std::int64_t channel, const F& f) {
  for (std::int64_t i = 0; i < x.n; ++i) {
    for (std::int64_t j = 0; j < x.s; ++j) f(x.index(i, channel, j));
  }
}

inline Statistics statistics(const Batch& x, double eps) {
  Statistics out;
  const auto count = static_cast<long double>(x.n * x.s);
  for (std::int64_t c = 0; c < x.c; ++c) {
    long double sum = 0, squares = 0;
    double least = INFINITY, most = -INFINITY;
    for_channel(x, c, [&](std::size_t i) {
      sum += x.values[i];
      least = std::fmin(least, x.values[i]);
      most = std::fmax(most, x.values[i]);
    });
    // A mean lies between the extremes, its rounding need not: so a constant channel has a variance of exactly 0.
    long double mean = sum / count;
    if (mean < least) mean = least;
    if (mean > most) mean = most;
    for_channel(x, c, [&](std::size_t i) { squares += (x.values[i] - mean) * (x.values[i] - mean); });
    out.mean.push_back(static_cast<double>(mean));
    out.var_biased.push_back(static_cast<double>(squares / count));
    out.rstd.push_back(static_cast<double>(1 / std::sqrt(squares / count + eps)));
  }
  return out;
}

/// y = gamma*(x - mean)*rstd + beta, with the batch's statistics or running ones.
inline std::vector<double> forward(const Batch& x, const Statistics& statistics, const std::vector<double>& gamma,
                                   const std::vector<double>& beta) {
  std::vector<double> y(x.values.size());
  for (std::int64_t c = 0; c < x.c; ++c) {
    const auto k = static_cast<std::size_t>(c);
    for_channel(x, c, [&](std::size_t i) {
      const long double centered = static_cast<long double>(x.values[i]) - statistics.mean[k];
      y[i] = static_cast<double>(gamma[k] * centered * statistics.rstd[k] + beta[k]);
    });
  }
  return y;
}

/// max(z, 0) of every element; a NaN stays one.
inline std::vector<double> relu(std::vector<double> z) {
  for (double& value : z) value = value <= 0 ? 0 : value;
  return z;
}

/// The gradients of sum(y*dy); `training`: through the batch's statistics too.
inline Gradients backward(const Batch& x, const std::vector<double>& dy, const Statistics& statistics,
                          const std::vector<double>& gamma, bool training) {
  Gradients out{std::vector<double>(x.values.size()), {}, {}};
  const auto count = static_cast<long double>(x.n * x.s);
  for (std::int64_t c = 0; c < x.c; ++c) {
    const auto k = static_cast<std::size_t>(c);
    const auto xhat = [&](std::size_t i) {
      return (static_cast<long double>(x.values[i]) - statistics.mean[k]) * statistics.rstd[k];
    };
    long double sum = 0, product = 0;
    for_channel(x, c, [&](std::size_t i) {
      sum += dy[i];
      product += dy[i] * xhat(i);
    });
    out.dgamma.push_back(static_cast<double>(product));
    out.dbeta.push_back(static_cast<double>(sum));
    for_channel(x, c, [&](std::size_t i) {
      const long double through_statistics = training ? sum / count + xhat(i) * product / count : 0;
      out.dx[i] = static_cast<double>(gamma[k] * statistics.rstd[k] * (dy[i] - through_statistics));
    });
  }
  return out;
}

namespace second {

/// One channel of a second derivative: its elements' xhat, dz and ddx, its numbers, and what is looked for.
struct Channel {
  std::vector<long double> h = {}, g = {}, v = {};
  long double gamma = 0, rstd = 0, ddgamma = 0, ddbeta = 0;
  std::vector<long double> grad_x = {}, grad_g = {};
  long double grad_gamma = 0;
};

/// dx = gamma*rstd*g, dgamma = sum(g*h), dbeta = sum(g), h = (x - mean)*rstd, with constant mean and rstd.
inline void differentiate_evaluation(Channel& c) {
  for (std::size_t i = 0; i < c.h.size(); ++i) {
    c.grad_x[i] = c.ddgamma * c.g[i] * c.rstd;
    c.grad_g[i] = c.gamma * c.rstd * c.v[i] + c.ddgamma * c.h[i] + c.ddbeta;
    c.grad_gamma += c.rstd * c.v[i] * c.g[i];
  }
}

/// a = sum(g)/m, b = sum(g*h)/m, dx = gamma*rstd*(g - a - h*b), dgamma = m*b, dbeta = m*a, then
/// h = d*rstd, rstd = (sum(d*d)/m + eps)^(-1/2), d = x - sum(x)/m. A name by_z is the gradient by z.
inline void differentiate_training(Channel& c) {
  const std::size_t size = c.h.size();
  const auto m = static_cast<long double>(size);
  const long double r = c.rstd;
  long double a = 0, b = 0, sum_v = 0, sum_v_h = 0, sum_v_p = 0;
  for (std::size_t i = 0; i < size; ++i) {
    a += c.g[i] / m;
    b += c.g[i] * c.h[i] / m;
    sum_v += c.v[i];
    sum_v_h += c.v[i] * c.h[i];
  }
  for (std::size_t i = 0; i < size; ++i) sum_v_p += c.v[i] * (c.g[i] - a - c.h[i] * b);
  c.grad_gamma = r * sum_v_p;
  const long double by_a = -c.gamma * r * sum_v + c.ddbeta * m;
  const long double by_b = -c.gamma * r * sum_v_h + c.ddgamma * m;
  std::vector<long double> by_h(size), by_d(size);
  long double by_r = c.gamma * sum_v_p;
  for (std::size_t i = 0; i < size; ++i) {
    c.grad_g[i] = c.gamma * r * c.v[i] + by_a / m + by_b * c.h[i] / m;
    by_h[i] = -c.gamma * r * c.v[i] * b + by_b * c.g[i] / m;
    by_r += by_h[i] * c.h[i] / r;
  }
  const long double by_var = -r * r * r * by_r / 2;
  long double mean_by_d = 0;
  for (std::size_t i = 0; i < size; ++i) {
    by_d[i] = by_h[i] * r + by_var * 2 * c.h[i] / r / m;
    mean_by_d += by_d[i] / m;
  }
  for (std::size_t i = 0; i < size; ++i) c.grad_x[i] = by_d[i] - mean_by_d;
}

}  // namespace second

/// The gradients of sum(ddx*dx) + sum(ddgamma*dgamma) + sum(ddbeta*dbeta) + sum(ddaddend*dz) by x, dz and gamma, where
/// dx, dgamma and dbeta are those of backward(x, dz, ...).
inline SecondGradients second_derivative(const Batch& x, const std::vector<double>& dz, const Statistics& statistics,
                                         const std::vector<double>& gamma, const Cotangents& by, bool training) {
  const std::size_t size = x.values.size();
  SecondGradients out{std::vector<double>(size), std::vector<double>(size), {}};
  const auto of = [](const std::vector<double>& values, std::size_t i) { return values.empty() ? 0 : values[i]; };
  const auto count = static_cast<std::size_t>(x.n * x.s);
  for (std::int64_t c = 0; c < x.c; ++c) {
    const auto k = static_cast<std::size_t>(c);
    second::Channel channel{.gamma = gamma[k],
                            .rstd = statistics.rstd[k],
                            .ddgamma = of(by.ddgamma, k),
                            .ddbeta = of(by.ddbeta, k),
                            .grad_x = std::vector<long double>(count),
                            .grad_g = std::vector<long double>(count)};
    for_channel(x, c, [&](std::size_t i) {
      channel.h.push_back((static_cast<long double>(x.values[i]) - statistics.mean[k]) * statistics.rstd[k]);
      channel.g.push_back(dz[i]);
      channel.v.push_back(of(by.ddx, i));
    });
    training ? differentiate_training(channel) : differentiate_evaluation(channel);
    std::size_t at = 0;
    for_channel(x, c, [&](std::size_t i) {
      out.grad_x[i] = static_cast<double>(channel.grad_x[at]);
      out.grad_dz[i] = static_cast<double>(channel.grad_g[at] + of(by.ddaddend, i));
      ++at;
    });
    out.grad_gamma.push_back(static_cast<double>(channel.grad_gamma));
  }
  return out;
}

/// running = (1 - momentum)*running + momentum*batch, for the mean and the unbiased variance.
inline void update_running(const Batch& x, double momentum, std::vector<double>& running_mean,
                           std::vector<double>& running_var) {
  const Statistics batch = statistics(x, 0);
  const auto count = static_cast<double>(x.n * x.s);
  for (std::size_t c = 0; c < running_mean.size(); ++c) {
    running_mean[c] = (1 - momentum) * running_mean[c] + momentum * batch.mean[c];
    running_var[c] = (1 - momentum) * running_var[c] + momentum * batch.var_biased[c] * count / (count - 1);
  }
}

}  // namespace bnlab::oracle
