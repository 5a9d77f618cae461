#include "bnlab/kernels/batch_norm.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "bnlab/kernels/cut.h"
#include "bnlab/kernels/loops.h"
#include "bnlab/kernels/moments.h"
#include "bnlab/kernels/scratch.h"

namespace bnlab::kernels {
namespace {

template <class T>
double value_or(const T* values, std::int64_t i, double otherwise) noexcept {
  return values ? static_cast<double>(values[i]) : otherwise;
}

// The mean as a pair: the elements are near its rounded value, so their difference from that is exact; what rounding
// took away goes into the offsets.
template <class T>
struct SplitMean {
  explicit SplitMean(double mean) noexcept : rounded(static_cast<T>(mean)), rest(mean - static_cast<double>(rounded)) {}
  T rounded;
  double rest;
};

// K factors per channel, repeated for all slots of the main panel; the slots of the rest panel are its first ones.
template <class T, std::size_t K>
class SlotFactors {
 public:
  /// of_channel(c) returns channel c's factors as std::array<T, K>.
  template <class F>
  SlotFactors(const Cut& parts, const F& of_channel) noexcept
      : slots_(parts.main.slots), values_(static_cast<std::int64_t>(K) * slots_) {
    if (!values_) return;
    const std::int64_t neighbours = parts.slots_per_channel_run;
    for (std::int64_t first = 0; first < slots_; first += neighbours) {
      const std::array<T, K> factors = of_channel(parts.channel(first));
      for (std::size_t k = 0; k < K; ++k) std::fill_n(begin(k) + first, neighbours, factors[k]);
    }
  }

  explicit operator bool() const noexcept { return static_cast<bool>(values_); }
  [[nodiscard]] const T* at(std::size_t k, std::int64_t slot) const noexcept { return begin(k) + slot; }

 private:
  [[nodiscard]] T* begin(std::size_t k) const noexcept {
    return values_.data() + static_cast<std::int64_t>(k) * slots_;
  }

  std::int64_t slots_;
  Scratch<T> values_;
};

template <class T>
Status normalize(const ForwardEvaluation<T>& args, TaskRunner& runner) noexcept {
  const Cut parts = cut(args.shape);
  const SlotFactors<T, 3> factors(parts, [&](std::int64_t c) {
    const SplitMean<T> mean(args.mean[c]);
    const double scale = value_or(args.gamma, c, 1.0) * args.rstd[c];
    const double offset = value_or(args.beta, c, 0.0) - mean.rest * scale;
    return std::array<T, 3>{mean.rounded, static_cast<T>(scale), static_cast<T>(offset)};
  });
  if (!factors) return Status::kOutOfMemory;

  const Loops<T>& inner = loops<T>();
  runner.run(parts.tasks(), [&](std::int64_t task) {
    const Place at = parts.place(task);
    inner.affine(at.patch, args.x + at.element,
                 {.center = factors.at(0, at.slot), .scale = factors.at(1, at.slot), .offset = factors.at(2, at.slot)},
                 args.y + at.element);
  });
  return Status::kOk;
}

struct GradientSums {
  double dy = 0;       // sum of dy
  double dy_xhat = 0;  // sum of dy*xhat
};

// Adds the partial sums of a panel's row chunks, in order, to those of its first chunk.
void join_chunks(const Panel& panel, double* sums) noexcept {
  double* all = sums + panel.partial;
  for (std::int64_t chunk = 1; chunk < panel.row_chunks(); ++chunk) {
    for (std::int64_t j = 0; j < panel.slots; ++j) all[j] += all[chunk * panel.slots + j];
  }
}

void join_gradient_sums(const Cut& parts, double* sum_dy, double* sum_dy_x, GradientSums* sums) noexcept {
  for (const Panel* panel : {&parts.main, &parts.rest}) {
    if (panel->rows == 0) continue;
    join_chunks(*panel, sum_dy);
    join_chunks(*panel, sum_dy_x);
    for (std::int64_t j = 0; j < panel->slots; ++j) {
      GradientSums& channel = sums[parts.channel(j)];
      channel.dy += sum_dy[panel->partial + j];
      channel.dy_xhat += sum_dy_x[panel->partial + j];
    }
  }
}

template <class T>
Status gradient_sums(const Backward<T>& args, GradientSums* sums, TaskRunner& runner) noexcept {
  const Cut parts = cut(args.shape);
  const SlotFactors<T, 1> center(parts,
                                 [&](std::int64_t c) { return std::array<T, 1>{SplitMean<T>(args.mean[c]).rounded}; });
  const Scratch<double> sum_dy(parts.partials());
  const Scratch<double> sum_dy_x(parts.partials());
  if (!center || !sum_dy || !sum_dy_x) return Status::kOutOfMemory;
  const Loops<T>& inner = loops<T>();
  const T* x = args.x ? args.x : args.dy;  // without x, dy_xhat is not wanted: any readable memory does
  runner.run(parts.tasks(), [&](std::int64_t task) {
    const Place at = parts.place(task);
    inner.gradient_sums(at.patch, x + at.element, args.dy + at.element, center.at(0, at.slot),
                        sum_dy.data() + at.partial, sum_dy_x.data() + at.partial);
  });
  join_gradient_sums(parts, sum_dy.data(), sum_dy_x.data(), sums);
  for (std::int64_t c = 0; c < args.shape.c; ++c) {
    sums[c].dy_xhat = (sums[c].dy_xhat - SplitMean<T>(args.mean[c]).rest * sums[c].dy) * args.rstd[c];
  }
  return Status::kOk;
}

template <class T>
void write_parameter_gradients(const Backward<T>& args, const GradientSums* sums) noexcept {
  for (std::int64_t c = 0; c < args.shape.c; ++c) {
    if (args.dgamma) args.dgamma[c] = static_cast<T>(sums[c].dy_xhat);
    if (args.dbeta) args.dbeta[c] = static_cast<T>(sums[c].dy);
  }
}

template <class T>
Status input_gradient(const Backward<T>& args, const GradientSums* sums, TaskRunner& runner) noexcept {
  const Cut parts = cut(args.shape);
  const auto count = static_cast<double>(args.shape.count());
  const SlotFactors<T, 4> factors(parts, [&](std::int64_t c) {
    const SplitMean<T> mean(args.mean[c]);
    const double scale = value_or(args.gamma, c, 1.0) * args.rstd[c];
    const double slope = -scale * args.rstd[c] * sums[c].dy_xhat / count;
    const double offset = -scale * sums[c].dy / count - slope * mean.rest;
    return std::array<T, 4>{mean.rounded, static_cast<T>(scale), static_cast<T>(slope), static_cast<T>(offset)};
  });
  if (!factors) return Status::kOutOfMemory;

  const Loops<T>& inner = loops<T>();
  runner.run(parts.tasks(), [&](std::int64_t task) {
    const Place at = parts.place(task);
    inner.input_gradient(at.patch, args.x + at.element, args.dy + at.element,
                         {.center = factors.at(0, at.slot),
                          .scale = factors.at(1, at.slot),
                          .slope = factors.at(2, at.slot),
                          .offset = factors.at(3, at.slot)},
                         args.dx + at.element);
  });
  return Status::kOk;
}

template <class T>
Status scale_gradient(const Backward<T>& args, TaskRunner& runner) noexcept {
  const Scratch<double> zeros(args.shape.c);
  if (!zeros) return Status::kOutOfMemory;
  std::fill_n(zeros.data(), args.shape.c, 0.0);
  return normalize<T>(
      {.shape = args.shape, .x = args.dy, .gamma = args.gamma, .mean = zeros.data(), .rstd = args.rstd, .y = args.dx},
      runner);
}

}  // namespace

template <class T>
Status forward_training(const ForwardTraining<T>& args, TaskRunner& runner) noexcept {
  const Shape& shape = args.shape;
  if (!shape.valid()) return Status::kBadShape;
  if (!(args.eps >= 0) || std::isinf(args.eps)) return Status::kBadEps;
  if (shape.c == 0) return Status::kOk;
  if (shape.count() == 0) return Status::kEmptyBatch;

  const Scratch<Moments> moments(shape.c);
  if (!moments) return Status::kOutOfMemory;
  const Status status = channel_moments(shape, args.x, moments.data(), runner);
  if (status != Status::kOk) return status;
  for (std::int64_t c = 0; c < shape.c; ++c) {
    args.mean[c] = moments[c].mean;
    args.var_biased[c] = moments[c].m2 / static_cast<double>(shape.count());
    args.rstd[c] = 1.0 / std::sqrt(args.var_biased[c] + args.eps);
  }
  return normalize<T>({.shape = shape,
                       .x = args.x,
                       .gamma = args.gamma,
                       .beta = args.beta,
                       .mean = args.mean,
                       .rstd = args.rstd,
                       .y = args.y},
                      runner);
}

template <class T>
Status forward_evaluation(const ForwardEvaluation<T>& args, TaskRunner& runner) noexcept {
  if (!args.shape.valid()) return Status::kBadShape;
  if (args.shape.elements() == 0) return Status::kOk;
  return normalize(args, runner);
}

template <class T>
Status backward_training(const Backward<T>& args, TaskRunner& runner) noexcept {
  if (!args.shape.valid()) return Status::kBadShape;
  if (args.shape.c == 0) return Status::kOk;
  if (args.shape.count() == 0) return Status::kEmptyBatch;
  const Scratch<GradientSums> sums(args.shape.c);
  if (!sums) return Status::kOutOfMemory;
  const Status status = gradient_sums(args, sums.data(), runner);
  if (status != Status::kOk) return status;
  write_parameter_gradients(args, sums.data());
  return args.dx ? input_gradient(args, sums.data(), runner) : Status::kOk;
}

template <class T>
Status backward_evaluation(const Backward<T>& args, TaskRunner& runner) noexcept {
  if (!args.shape.valid()) return Status::kBadShape;
  if (args.dgamma || args.dbeta) {
    const Scratch<GradientSums> sums(args.shape.c);
    if (!sums) return Status::kOutOfMemory;
    if (args.shape.elements() > 0) {
      const Status status = gradient_sums(args, sums.data(), runner);
      if (status != Status::kOk) return status;
    }
    write_parameter_gradients(args, sums.data());
  }
  return args.dx && args.shape.elements() > 0 ? scale_gradient(args, runner) : Status::kOk;
}

#define BNLAB_INSTANTIATE(T)                                                             \
  template Status forward_training(const ForwardTraining<T>&, TaskRunner&) noexcept;     \
  template Status forward_evaluation(const ForwardEvaluation<T>&, TaskRunner&) noexcept; \
  template Status backward_training(const Backward<T>&, TaskRunner&) noexcept;           \
  template Status backward_evaluation(const Backward<T>&, TaskRunner&) noexcept;
BNLAB_INSTANTIATE(float)
BNLAB_INSTANTIATE(double)
#undef BNLAB_INSTANTIATE

}  // namespace bnlab::kernels
