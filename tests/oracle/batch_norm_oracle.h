// Batch normalization in the plainest way, in long double, to judge every implementation by.
// Source: Ioffe & Szegedy 2015, Algorithm 1 and the gradients of section 3.
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
    for_channel(x, c, [&](std::size_t i) { sum += x.values[i]; });
    const long double mean = sum / count;
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
