#include "bnlab/kernels/batch_norm.h"
#include "bnlab/kernels/passes.h"
#include "bnlab/kernels/range.h"

namespace bnlab::kernels {
namespace {

// Of a channel: means of v = ddx, g = dz, v*xhat, g*xhat and v*g.
struct Means {
  double v = 0, g = 0, v_xhat = 0, g_xhat = 0, v_g = 0;
};

// The coefficients of grad_x and grad_dy with xhat in place of x; see SecondGradients.
struct Gradients {
  struct {
    double xhat = 0, v = 0, g = 0, one = 0;
  } x;
  struct {
    double xhat = 0, v = 0, one = 0;
  } dy;
  double gamma = 0;
};

// What a channel contributes beside its elements.
struct Channel {
  double gamma, rstd, count;
  double ddgamma, ddbeta;
};

// L = sum(v*dx) + ddgamma*dgamma + ddbeta*dbeta with dx = gamma*rstd*P(g), where P removes the mean and the part along
// xhat; differentiated through xhat and through rstd (docs/operators/second-derivative.md).
Gradients gradients_training(const Channel& c, const Means& m) noexcept {
  const double scale = c.gamma * c.rstd;
  const double inner = m.v_g - m.v * m.g - m.v_xhat * m.g_xhat;  // mean of v*P(g)
  const double q_mean = -scale * (m.v * m.g_xhat + m.g * m.v_xhat) + c.ddgamma * m.g;
  const double q_xhat = -2 * scale * m.v_xhat * m.g_xhat + c.ddgamma * m.g_xhat;
  return {.x = {.xhat = -c.rstd * (q_xhat + scale * inner),
                .v = -c.rstd * scale * m.g_xhat,
                .g = c.rstd * (c.ddgamma - scale * m.v_xhat),
                .one = -c.rstd * q_mean},
          .dy = {.xhat = c.ddgamma - scale * m.v_xhat, .v = scale, .one = c.ddbeta - scale * m.v},
          .gamma = c.rstd * c.count * inner};
}

// The same with constant statistics: dx = gamma*rstd*g.
Gradients gradients_evaluation(const Channel& c, const Means& m) noexcept {
  return {.x = {.g = c.rstd * c.ddgamma},
          .dy = {.xhat = c.ddgamma, .v = c.gamma * c.rstd, .one = c.ddbeta},
          .gamma = c.rstd * c.count * m.v_g};
}

template <class E>
class SecondDerivativePass {
 public:
  using T = Compute<E>;

  SecondDerivativePass(const SecondDerivative<E>& args, const Cut& parts, const Loops<E>& inner) noexcept
      : args_(args),
        parts_(parts),
        inner_(inner),
        center_(parts),
        coefficients_(parts),
        partials_(parts),
        sums_(parts) {
    if (*this) {
      center_.fill(parts, [&](std::int64_t c) { return std::array<double, 1>{SplitMean<T>(args.mean[c]).rounded}; });
    }
  }

  explicit operator bool() const noexcept { return center_ && coefficients_ && partials_ && sums_; }

  void reduce(const Place& place) const noexcept {
    SecondSums<E> sums{.x = args_.x + place.element,
                       .dy = args_.dy + place.element,
                       .ddx = v() + place.element,
                       .mask = mask(place),
                       .center = center_.at(place).at[0]};
    for (std::size_t k = 0; k < 5; ++k) sums.sums[k] = partials_.at(k, place.partial);
    inner_.second_sums(place.patch, sums);
  }

  /// of_channel(channel, means): gradients_training or gradients_evaluation.
  template <class F>
  void finish(const F& of_channel) const noexcept {
    partials_.join(parts_, sums_);
    coefficients_.fill(parts_, [&](std::int64_t c) {
      const SplitMean<T> mean(args_.mean[c]);
      const double rstd = args_.rstd[c];
      const Gradients by = of_channel(channel(c), means(c));
      // xhat = (x - rounded)*rstd - rest*rstd
      const double rest = mean.rest * rstd;
      return std::array<double, 8>{mean.rounded,
                                   by.x.xhat * rstd,
                                   by.x.v,
                                   by.x.g,
                                   by.x.one - by.x.xhat * rest,
                                   by.dy.xhat * rstd,
                                   by.dy.v,
                                   by.dy.one - by.dy.xhat * rest};
    });
    if (!args_.grad_gamma) return;
    const ChannelRange range(parts_);
    for (std::int64_t c = range.first; c < range.last; ++c) {
      args_.grad_gamma[c] = static_cast<T>(of_channel(channel(c), means(c)).gamma);
    }
  }

  void map(const Place& place) const noexcept {
    if (!args_.grad_x && !args_.grad_dy) return;
    inner_.second_gradients(place.patch, {.x = args_.x + place.element,
                                          .dy = args_.dy + place.element,
                                          .ddx = v() + place.element,
                                          .ddaddend = args_.ddaddend ? args_.ddaddend + place.element : nullptr,
                                          .mask = mask(place),
                                          .a = coefficients_.at(place),
                                          .grad_x = args_.grad_x ? args_.grad_x + place.element : nullptr,
                                          .grad_dy = args_.grad_dy ? args_.grad_dy + place.element : nullptr});
  }

 private:
  // Without ddx its coefficients and means are 0: any readable memory does.
  [[nodiscard]] const E* v() const noexcept { return args_.ddx ? args_.ddx : args_.x; }
  [[nodiscard]] const std::uint8_t* mask(const Place& place) const noexcept {
    return args_.relu_mask ? args_.relu_mask + place.mask : nullptr;
  }

  [[nodiscard]] Channel channel(std::int64_t c) const noexcept {
    return {.gamma = args_.ddx ? value_or(args_.gamma, c, 1.0) : 0.0,
            .rstd = args_.rstd[c],
            .count = static_cast<double>(args_.shape.count()),
            .ddgamma = value_or(args_.ddgamma, c, 0.0),
            .ddbeta = value_or(args_.ddbeta, c, 0.0)};
  }

  [[nodiscard]] Means means(std::int64_t c) const noexcept {
    const double v = sums_.at(0, c), g = sums_.at(1, c), v_x = sums_.at(2, c), g_x = sums_.at(3, c);
    const double rstd = args_.rstd[c], rest = SplitMean<T>(args_.mean[c]).rest;
    const auto count = static_cast<double>(args_.shape.count());
    Means means{.g = g / count, .g_xhat = (g_x - rest * g) * rstd / count};
    if (args_.ddx) {
      means.v = v / count;
      means.v_xhat = (v_x - rest * v) * rstd / count;
      means.v_g = sums_.at(4, c) / count;
    }
    return means;
  }

  const SecondDerivative<E>& args_;
  const Cut& parts_;
  const Loops<E>& inner_;
  SlotCoefficients<T, 1> center_;
  SlotCoefficients<T, 8> coefficients_;
  Partials<5> partials_;
  ChannelSums<5> sums_;
};

template <class E, class F>
Status run_second_derivative(const SecondDerivative<E>& args, TaskRunner& runner, const F& of_channel) noexcept {
  const Loops<E>* inner = loops<E>();
  if (!inner) return Status::kBadInstructionSet;
  return for_slabs(cut(args.shape, sizeof(E)), runner, [&](const Cut& parts, TaskRunner& threads) noexcept {
    if (!all_in_range<Compute<E>>(parts, args.mean, args.rstd)) return Status::kOutOfRange;
    const SecondDerivativePass<E> pass(args, parts, *inner);
    if (!pass) return Status::kOutOfMemory;
    two_passes(
        parts, threads, [&](const Place& place) { pass.reduce(place); }, [&] { pass.finish(of_channel); },
        [&](const Place& place) { pass.map(place); });
    return Status::kOk;
  });
}

}  // namespace

template <class E>
Status second_derivative_training(const SecondDerivative<E>& args, TaskRunner& runner) noexcept {
  if (!args.shape.valid()) return Status::kBadShape;
  if (args.shape.c == 0) return Status::kOk;
  if (args.shape.count() == 0) return Status::kEmptyBatch;
  return run_second_derivative(args, runner, gradients_training);
}

template <class E>
Status second_derivative_evaluation(const SecondDerivative<E>& args, TaskRunner& runner) noexcept {
  if (!args.shape.valid()) return Status::kBadShape;
  if (args.shape.elements() == 0) {
    if (args.grad_gamma) std::fill_n(args.grad_gamma, args.shape.c, Compute<E>(0));
    return Status::kOk;
  }
  return run_second_derivative(args, runner, gradients_evaluation);
}

#define BNLAB_INSTANTIATE(E)                                                                    \
  template Status second_derivative_training(const SecondDerivative<E>&, TaskRunner&) noexcept; \
  template Status second_derivative_evaluation(const SecondDerivative<E>&, TaskRunner&) noexcept;
BNLAB_INSTANTIATE(float)
BNLAB_INSTANTIATE(double)
BNLAB_INSTANTIATE(BFloat16)
BNLAB_INSTANTIATE(Float16)
#undef BNLAB_INSTANTIATE

}  // namespace bnlab::kernels
