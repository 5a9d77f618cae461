#include "bnlab/kernels/lp_norm.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "bnlab/kernels/scratch.h"

namespace bnlab::kernels {
namespace {

constexpr std::int64_t kLanes = 8;  // partial sums of a plane, side by side: what a compiler turns into vectors

struct Sum {
  static constexpr double kStart = 0;
  static double join(double a, double b) { return a + b; }
};

struct Largest {
  static constexpr double kStart = 0;
  static double join(double a, double b) { return a > b ? a : b; }
};

/// Whether a channel's values of one sample lie side by side.
bool has_planes(const Shape& shape) {
  return shape.layout == Layout::kChannelsFirst && shape.s > 1;
}

/// result[c] = the joined term(c, i) of all values i of channel c.
template <class Join, class Term>
void reduce(const Shape& shape, TaskRunner& runner, double* result, const Term& term) noexcept {
  if (has_planes(shape)) {
    runner.run(shape.c, [&](std::int64_t begin, std::int64_t end) noexcept {
      for (std::int64_t c = begin; c < end; ++c) {
        double lanes[kLanes];
        std::fill_n(lanes, kLanes, Join::kStart);
        for (std::int64_t n = 0; n < shape.n; ++n) {
          const std::int64_t plane = (n * shape.c + c) * shape.s;
          std::int64_t s = 0;
          for (; s + kLanes <= shape.s; s += kLanes) {
            for (std::int64_t lane = 0; lane < kLanes; ++lane) {
              lanes[lane] = Join::join(lanes[lane], term(c, plane + s + lane));
            }
          }
          for (; s < shape.s; ++s) lanes[s % kLanes] = Join::join(lanes[s % kLanes], term(c, plane + s));
        }
        result[c] = Join::kStart;
        for (const double lane : lanes) result[c] = Join::join(result[c], lane);
      }
    });
    return;
  }
  std::fill_n(result, shape.c, Join::kStart);
  for (std::int64_t row = 0; row < shape.count(); ++row) {
#pragma GCC ivdep
    for (std::int64_t c = 0; c < shape.c; ++c) result[c] = Join::join(result[c], term(c, row * shape.c + c));
  }
}

/// out[i] = value(c, i) for all values.
template <class T, class Value>
void map(const Shape& shape, TaskRunner& runner, T* out, const Value& value) noexcept {
  const bool planes = has_planes(shape);
  runner.run(planes ? shape.n : shape.count(), [&](std::int64_t begin, std::int64_t end) noexcept {
    for (std::int64_t row = begin; row < end; ++row) {
      if (planes) {
        for (std::int64_t c = 0; c < shape.c; ++c) {
          const std::int64_t plane = (row * shape.c + c) * shape.s;
#pragma GCC ivdep
          for (std::int64_t s = 0; s < shape.s; ++s) out[plane + s] = value(c, plane + s);
        }
      } else {
#pragma GCC ivdep
        for (std::int64_t c = 0; c < shape.c; ++c) out[row * shape.c + c] = value(c, row * shape.c + c);
      }
    }
  });
}

Status check(const Shape& shape) {
  if (!shape.valid()) return Status::kBadShape;
  return shape.c > 0 && shape.count() == 0 ? Status::kEmptyBatch : Status::kOk;
}

template <class T>
double sign(T x) {
  return static_cast<double>(x > 0) - static_cast<double>(x < 0);
}

/// dx = scale*dy + shift + slope*h(x), h the norm's derivative without its factors.
struct InputGradient {
  double *scale, *shift, *slope;  // (C)
};

template <class T>
void write_input_gradient(const LpBackward<T>& args, const InputGradient& g, TaskRunner& runner) noexcept {
  const T *x = args.x, *dy = args.dy;
  const double* norm = args.norm;
  const auto with = [&](const auto& derivative) {
    map(args.shape, runner, args.dx, [&](std::int64_t c, std::int64_t i) {
      return static_cast<T>(g.scale[c] * static_cast<double>(dy[i]) + g.shift[c] + g.slope[c] * derivative(c, x[i]));
    });
  };
  switch (args.power) {
    case LpPower::kOne:
      return with([](std::int64_t, T v) { return sign(v); });
    case LpPower::kTwo:
      return with([](std::int64_t, T v) { return static_cast<double>(v); });
    case LpPower::kInfinity:
      return with([norm](std::int64_t c, T v) { return std::abs(static_cast<double>(v)) == norm[c] ? sign(v) : 0; });
  }
}

}  // namespace

template <class T>
Status lp_moments(const Shape& shape, LpPower power, const T* x, const LpMoments& moments,
                  TaskRunner& runner) noexcept {
  if (const Status status = check(shape); status != Status::kOk) return status;
  const auto count = static_cast<double>(shape.count());
  const auto value = [x](std::int64_t i) { return static_cast<double>(x[i]); };
  reduce<Sum>(shape, runner, moments.mean, [&](std::int64_t, std::int64_t i) { return value(i); });
  const auto magnitude = [&](std::int64_t, std::int64_t i) { return std::abs(value(i)); };
  if (power == LpPower::kOne) reduce<Sum>(shape, runner, moments.norm, magnitude);
  if (power == LpPower::kTwo) {
    reduce<Sum>(shape, runner, moments.norm, [&](std::int64_t, std::int64_t i) { return value(i) * value(i); });
  }
  if (power == LpPower::kInfinity) reduce<Largest>(shape, runner, moments.norm, magnitude);
  for (std::int64_t c = 0; c < shape.c; ++c) {
    moments.mean[c] /= count;
    double& norm = moments.norm[c];
    if (power != LpPower::kInfinity) norm /= count;
    if (power == LpPower::kTwo) norm = std::sqrt(norm);
    if (std::isnan(moments.mean[c])) norm = std::numeric_limits<double>::quiet_NaN();
  }
  return Status::kOk;
}

template <class T>
Status lp_affine(const LpAffine<T>& args, TaskRunner& runner) noexcept {
  if (!args.shape.valid()) return Status::kBadShape;
  map(args.shape, runner, args.y, [&args](std::int64_t c, std::int64_t i) {
    return static_cast<T>((static_cast<double>(args.x[i]) - args.mean[c]) * args.scale[c] + args.shift[c]);
  });
  return Status::kOk;
}

template <class T>
Status lp_backward(const LpBackward<T>& args, TaskRunner& runner) noexcept {
  const Shape& shape = args.shape;
  if (const Status status = check(shape); status != Status::kOk) return status;
  const Scratch<double> scratch(3 * shape.c);
  if (shape.c > 0 && !scratch) return Status::kOutOfMemory;
  const InputGradient g{scratch.data(), scratch.data() + shape.c, scratch.data() + 2 * shape.c};
  const T *x = args.x, *dy = args.dy;
  const double *mean = args.mean, *largest = args.norm;
  reduce<Sum>(shape, runner, args.dbeta, [dy](std::int64_t, std::int64_t i) { return static_cast<double>(dy[i]); });
  reduce<Sum>(shape, runner, args.dgamma, [=](std::int64_t c, std::int64_t i) {
    return static_cast<double>(dy[i]) * (static_cast<double>(x[i]) - mean[c]);
  });
  double* ties = g.slope;
  if (args.power == LpPower::kInfinity) {
    reduce<Sum>(shape, runner, ties, [=](std::int64_t c, std::int64_t i) {
      return static_cast<double>(std::abs(static_cast<double>(x[i])) == largest[c]);
    });
  }
  const auto count = static_cast<double>(shape.count());
  for (std::int64_t c = 0; c < shape.c; ++c) {
    const double rnorm = 1 / (args.norm[c] + args.eps), dnorm = -args.dgamma[c] * args.gamma[c] * rnorm * rnorm;
    g.scale[c] = args.gamma[c] * rnorm;
    g.shift[c] = -g.scale[c] * args.dbeta[c] / count;
    args.dgamma[c] *= rnorm;
    if (args.power == LpPower::kOne) g.slope[c] = dnorm / count;
    if (args.power == LpPower::kTwo) g.slope[c] = args.norm[c] == 0 ? 0 : dnorm / (count * args.norm[c]);
    if (args.power == LpPower::kInfinity) g.slope[c] = dnorm / ties[c];
  }
  write_input_gradient(args, g, runner);
  return Status::kOk;
}

template Status lp_moments(const Shape&, LpPower, const float*, const LpMoments&, TaskRunner&) noexcept;
template Status lp_moments(const Shape&, LpPower, const double*, const LpMoments&, TaskRunner&) noexcept;
template Status lp_affine(const LpAffine<float>&, TaskRunner&) noexcept;
template Status lp_affine(const LpAffine<double>&, TaskRunner&) noexcept;
template Status lp_backward(const LpBackward<float>&, TaskRunner&) noexcept;
template Status lp_backward(const LpBackward<double>&, TaskRunner&) noexcept;

}  // namespace bnlab::kernels
