#include "bnlab/bench/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bnlab::bench {
namespace {

using kernels::Fusion;

template <class E>
long double wide(E value) {
  return static_cast<long double>(static_cast<double>(value));
}

}  // namespace

std::string to_string(Output output) {
  switch (output) {
    case Output::kEvaluatedY:
      return "y in evaluation";
    case Output::kY:
      return "y";
    case Output::kDx:
      return "dx";
    case Output::kDaddend:
      return "daddend";
    case Output::kDgamma:
      return "dgamma";
    case Output::kDbeta:
      break;
  }
  return "dbeta";
}

template <class E>
Reference<E>::Reference(const BatchData<E>& batch, const NamedShape& shape, Fusion fusion)
    : batch_(batch),
      n_(shape.n),
      c_(shape.c),
      s_(shape.h * shape.w),
      fusion_(fusion),
      channels_(static_cast<std::size_t>(shape.c)) {
#pragma omp parallel for
  for (std::int64_t c = 0; c < c_; ++c) compute_channel(c);
}

template <class E>
void Reference<E>::compute_channel(std::int64_t c) {
  const auto for_each = [&](const auto& f) {
    for (std::int64_t i = 0; i < n_; ++i) {
      const std::int64_t first = (i * c_ + c) * s_;
      for (std::int64_t k = first; k < first + s_; ++k) f(static_cast<std::size_t>(k));
    }
  };
  const auto count = static_cast<long double>(n_ * s_);
  long double sum = 0, squares = 0;
  for_each([&](std::size_t i) { sum += wide(batch_.x[i]); });
  const long double mean = sum / count;
  for_each([&](std::size_t i) { squares += (wide(batch_.x[i]) - mean) * (wide(batch_.x[i]) - mean); });
  const long double rstd = 1 / std::sqrt(squares / count + static_cast<long double>(kEps));
  const auto k = static_cast<std::size_t>(c);
  long double dgamma = 0, dbeta = 0;
  for_each([&](std::size_t i) {
    const long double gradient = dz(i, k, {mean, rstd});
    dbeta += gradient;
    dgamma += gradient * (wide(batch_.x[i]) - mean) * rstd;
  });
  channels_[k] = {mean, rstd, dgamma, dbeta};
}

template <class E>
long double Reference<E>::z(std::size_t i, std::size_t c, const Coefficients& by) const {
  const long double normalized = (wide(batch_.x[i]) - by.mean) * by.rstd;
  const long double z = wide(batch_.gamma[c]) * normalized + wide(batch_.beta[c]);
  return fusion_ == Fusion::kAddRelu ? z + wide(batch_.addend[i]) : z;
}

template <class E>
long double Reference<E>::dz(std::size_t i, std::size_t c, const Coefficients& by) const {
  return fusion_ == Fusion::kNone || z(i, c, by) > 0 ? wide(batch_.dy[i]) : 0;
}

template <class E>
double Reference<E>::element(Output output, std::int64_t i) const {
  const auto k = static_cast<std::size_t>(i), c = static_cast<std::size_t>(i / s_ % c_);
  const Channel& channel = channels_[c];
  Coefficients by{channel.mean, channel.rstd};
  if (output == Output::kEvaluatedY) {
    by.mean = wide(batch_.running_mean[c]);
    by.rstd = 1 / std::sqrt(wide(batch_.running_var[c]) + static_cast<long double>(kEps));
  }
  switch (output) {
    case Output::kEvaluatedY:
    case Output::kY: {
      const long double y = z(k, c, by);
      return static_cast<double>(fusion_ == Fusion::kNone ? y : std::max(y, 0.0L));
    }
    case Output::kDx: {
      const auto count = static_cast<long double>(n_ * s_);
      const long double normalized = (wide(batch_.x[k]) - by.mean) * by.rstd;
      return static_cast<double>(wide(batch_.gamma[c]) * by.rstd *
                                 (dz(k, c, by) - channel.dbeta / count - normalized * channel.dgamma / count));
    }
    case Output::kDaddend:
      return static_cast<double>(dz(k, c, by));
    case Output::kDgamma:
    case Output::kDbeta:
      break;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

template <class E>
double Reference<E>::sum(Output output, std::int64_t c) const {
  const Channel& channel = channels_[static_cast<std::size_t>(c)];
  if (output == Output::kDgamma) return static_cast<double>(channel.dgamma);
  return output == Output::kDbeta ? static_cast<double>(channel.dbeta) : std::numeric_limits<double>::quiet_NaN();
}

template class Reference<float>;
template class Reference<double>;
template class Reference<kernels::BFloat16>;
template class Reference<kernels::Float16>;

}  // namespace bnlab::bench
