// The judgement of one instruction set's results: bounds where everything is finite, patterns of NaN where not.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "bnlab/kernels/instruction_set.h"
#include "bnlab/kernels/range.h"
#include "tests/kernels/batch_case.h"
#include "tests/oracle/error_bounds.h"

namespace bnlab::kernels::fuzz {

/// Whether all elements of each channel are finite.
template <class V>
std::vector<bool> finite_channels(const oracle::Batch& places, const V& values) {
  std::vector<bool> finite(static_cast<std::size_t>(places.c), true);
  for (std::int64_t c = 0; c < places.c; ++c) {
    oracle::for_channel(places, c, [&](std::size_t i) {
      if (!std::isfinite(static_cast<double>(values[i]))) finite[static_cast<std::size_t>(c)] = false;
    });
  }
  return finite;
}

inline std::vector<bool> both(std::vector<bool> a, const std::vector<bool>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = a[i] && b[i];
  return a;
}

template <class E>
class Checks {
 public:
  Checks(BatchCase<E>& t, double eps) : t_(t), eps_(eps), batch_(t.batch()), places_(t.places()) {
    precision_ = oracle::precision_of<Compute<E>>();
    precision_.growth = 8 + static_cast<double>(t.shape.count()) / 8;
  }

  void expect(bool good, const char* what) const {
    if (good) return;
    std::fprintf(stderr, "%s, %s, %s, elements of %s: %s\n", instruction_set(), name_of(t_.shape).c_str(),
                 name_of(t_.fusion).c_str(), kStorage<E>.name, what);
    std::abort();
  }

  /// Of a forward pass in training: out of range where a channel clearly is, and not where all are clearly within.
  void range(Status status) const {
    const auto exact = oracle::statistics(batch_, eps_);
    const auto finite = finite_channels(places_, t_.x);
    bool within = true, beyond = false;
    for (std::size_t c = 0; c < finite.size(); ++c) {
      if (!finite[c]) continue;
      constexpr double kMost = kMostRstd<Compute<E>>;
      const double rstd = exact.rstd[c];
      within = within && rstd < 0.9 * kMost && rstd > 1.1 / kMost;
      beyond = beyond || (exact.var_biased[c] > 0 && (rstd > 1.1 * kMost || rstd < 0.9 / kMost));
    }
    expect(status != Status::kOutOfRange || !within, "out of range is reported of channels within it");
    expect(status == Status::kOutOfRange || !beyond, "a channel out of range is not reported");
  }

  /// After a forward pass in training.
  void statistics() const {
    const auto exact = oracle::statistics(batch_, eps_);
    const auto bounds = oracle::statistics_bounds(precision_, batch_, exact, eps_);
    const auto finite = finite_channels(places_, t_.x);
    for (std::size_t c = 0; c < finite.size(); ++c) {
      if (finite[c]) {
        near(t_.mean[c], exact.mean[c], bounds.mean[c], "mean", c);
        near(t_.var_biased[c], exact.var_biased[c], bounds.var_biased[c], "var_biased", c);
        near(t_.rstd[c], exact.rstd[c], bounds.rstd[c], "rstd", c);
      } else {
        expect(!std::isfinite(t_.mean[c]) && std::isnan(t_.var_biased[c]) && std::isnan(t_.rstd[c]),
               "statistics of a channel with NaN or infinity");
      }
    }
  }

  /// After a forward pass, whose mask let gradients through at `open`.
  void forward(const std::vector<bool>& open) const {
    const auto gamma = t_.gamma.doubles(), beta = t_.beta.doubles(), addend = t_.addend.doubles();
    auto z = oracle::forward(batch_, given(), gamma, beta);
    for (std::size_t i = 0; i < addend.size(); ++i) z[i] += addend[i];
    const auto bounds = oracle::forward_bounds(precision_, batch_, given(), gamma, beta, addend);
    const auto statistics_finite = finite_statistics();
    const bool relu = t_.fusion != Fusion::kNone;
    const auto y = relu ? oracle::relu(z) : z;
    for_elements([&](std::size_t c, std::size_t i) {
      const auto found = static_cast<double>(t_.y[i]);
      if (std::isnan(t_.mean[c]) || std::isnan(t_.rstd[c]) || std::isnan(static_cast<double>(t_.x[i]))) {
        expect(std::isnan(found) && open[i], "y of a NaN");
      } else if (statistics_finite[c] && std::isfinite(z[i])) {
        near(found, y[i], bounds[i], "y", i);
        const double above_zero = z[i] - double{kStoredAsZero<E>};
        if (relu && std::abs(above_zero) > bounds[i]) expect(open[i] == (above_zero > 0), "mask");
      } else if (statistics_finite[c] && t_.rstd[c] > 0) {
        // An infinite x or addend: both or neither are NaN, unless gamma*rstd is no number of the arithmetic.
        expect(std::isnan(found) == std::isnan(z[i]) || !in_range(gamma[c] * t_.rstd[c]), "y of an infinity");
      }
    });
  }

  /// After a backward pass.
  void backward(const std::vector<bool>& open, bool training) const {
    const auto dz = masked(open, t_.dy.doubles()), gamma = t_.gamma.doubles();
    const auto expected = oracle::backward(batch_, dz, given(), gamma, training);
    const auto bounds = oracle::backward_bounds(precision_, batch_, dz, given(), gamma, training);
    const auto x_finite = both(finite_channels(places_, batch_.values), finite_statistics());
    const auto dz_finite = finite_channels(places_, dz), all_finite = both(x_finite, dz_finite);
    for (std::size_t c = 0; c < gamma.size(); ++c) {
      if (dz_finite[c]) near(static_cast<double>(t_.dbeta[c]), expected.dbeta[c], bounds.dbeta[c], "dbeta", c);
      if (all_finite[c]) near(static_cast<double>(t_.dgamma[c]), expected.dgamma[c], bounds.dgamma[c], "dgamma", c);
      expect(dz_finite[c] || !std::isfinite(static_cast<double>(t_.dbeta[c])), "dbeta of a NaN or infinity");
      expect(all_finite[c] || !decided(c) || !std::isfinite(static_cast<double>(t_.dgamma[c])),
             "dgamma of a NaN or infinity");
    }
    for_elements([&](std::size_t c, std::size_t i) {
      const auto found = static_cast<double>(t_.dx[i]);
      if (training ? all_finite[c] : finite_statistics()[c] && std::isfinite(dz[i])) {
        near(found, expected.dx[i], bounds.dx[i], "dx", i);
      } else {
        expect(!decided(c) || !std::isfinite(found), "dx of a NaN or infinity");
      }
      if (t_.fusion == Fusion::kAddRelu) {
        const auto daddend = static_cast<double>(t_.daddend[i]);
        expect(daddend == dz[i] || (std::isnan(daddend) && std::isnan(dz[i])), "daddend");
      }
    });
  }

  /// After a second derivative.
  void second_derivative(const std::vector<bool>& open, bool training) const {
    const auto dz = masked(open, t_.dy.doubles()), gamma = t_.gamma.doubles();
    const auto by = t_.cotangents();
    const auto expected = oracle::second_derivative(batch_, dz, given(), gamma, by, training);
    const auto bounds = oracle::second_bounds(precision_, batch_, dz, given(), gamma, by, training);
    const auto x_finite = both(finite_channels(places_, batch_.values), finite_statistics());
    const auto v_finite = finite_channels(places_, by.ddx), x_v_finite = both(x_finite, v_finite);
    const auto all_finite = both(x_v_finite, finite_channels(places_, dz));
    for (std::size_t c = 0; c < gamma.size(); ++c) {
      const auto found = static_cast<double>(t_.grad_gamma[c]);
      if (all_finite[c]) near(found, expected.grad_gamma[c], bounds.grad_gamma[c], "grad_gamma", c);
    }
    for_elements([&](std::size_t c, std::size_t i) {
      const auto grad_x = static_cast<double>(t_.grad_x[i]), grad_dy = static_cast<double>(t_.grad_dy[i]);
      const bool own_finite = std::isfinite(batch_.values[i]) && std::isfinite(by.ddx[i]) && std::isfinite(dz[i]);
      if (all_finite[c] || (!training && finite_statistics()[c] && own_finite)) {
        near(grad_x, expected.grad_x[i], bounds.grad_x[i], "grad_x", i);
      } else if (training) {
        expect(!decided(c) || !std::isfinite(grad_x), "grad_x of a NaN or infinity");
      }
      if (!open[i]) {
        expect(grad_dy == 0, "grad_dy behind the mask");
      } else if (by.ddaddend.empty() || std::isfinite(by.ddaddend[i])) {
        if (training ? x_v_finite[c]
                     : finite_statistics()[c] && std::isfinite(batch_.values[i]) && std::isfinite(by.ddx[i])) {
          near(grad_dy, expected.grad_dz[i], bounds.grad_dz[i], "grad_dy", i);
        } else if (training) {
          expect(!decided(c) || !std::isfinite(grad_dy), "grad_dy of a NaN or infinity");
        }
      }
    });
  }

 private:
  // The oracle judges each step by the results of the step before.
  [[nodiscard]] oracle::Statistics given() const { return {t_.mean.doubles(), {}, t_.rstd.doubles()}; }

  [[nodiscard]] std::vector<bool> finite_statistics() const {
    std::vector<bool> finite(t_.mean.size());
    for (std::size_t c = 0; c < finite.size(); ++c) finite[c] = std::isfinite(t_.mean[c]) && std::isfinite(t_.rstd[c]);
    return finite;
  }

  // Whether a NaN or an infinity must show in a channel's gradients: not where gamma, rstd or a product of them leaves
  // the range of the arithmetic or is 0.
  [[nodiscard]] bool decided(std::size_t c) const {
    const auto gamma = static_cast<double>(t_.gamma[c]);
    return std::isnan(t_.rstd[c]) || (in_range(t_.rstd[c] * t_.rstd[c] * gamma) && in_range(gamma * t_.rstd[c]));
  }
  [[nodiscard]] bool in_range(double value) const {
    return std::abs(value) < precision_.most && std::abs(value) > precision_.tiny * 0x1p30;
  }

  static std::vector<double> masked(const std::vector<bool>& open, std::vector<double> values) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = open[i] ? values[i] : 0;
    return values;
  }

  template <class F>
  void for_elements(const F& f) const {
    for (std::int64_t c = 0; c < places_.c; ++c) {
      oracle::for_channel(places_, c, [&](std::size_t i) { f(static_cast<std::size_t>(c), i); });
    }
  }

  // |found - expected| <= bound; an infinite bound promises nothing.
  void near(double found, double expected, double bound, const char* what, std::size_t i) const {
    if (std::isinf(bound)) return;
    const double allowed = 1.01 * bound + storage_error<E>(expected);
    if (stored_distance<E>(found, expected) <= allowed) return;
    std::fprintf(stderr, "%s[%zu] is %.17g, expected %.17g within %.3g\n", what, i, found, expected, allowed);
    expect(false, what);
  }

  BatchCase<E>& t_;
  double eps_;
  oracle::Batch batch_, places_;
  oracle::Precision precision_;
};

}  // namespace bnlab::kernels::fuzz
