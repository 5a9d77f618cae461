#include "bnlab/bench/referee.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "bnlab/bench/results.h"

namespace bnlab::bench {
namespace {

template <class T>
bool all_near(const T* ours, const T* theirs, std::int64_t n, const Nearness& nearness) {
  bool all = true;
#pragma omp parallel for reduction(&& : all)
  for (std::int64_t i = 0; i < n; ++i) {
    all = all && nearness.near(static_cast<double>(theirs[i]), static_cast<double>(ours[i]));
  }
  return all;
}

}  // namespace

bool Nearness::near(double got, double expected) const {
  return std::abs(got - expected) <= relative * std::max(std::abs(expected), scale);
}

template <class T>
Verdict judge(const T* ours, const T* theirs, std::int64_t n, const Nearness& nearness,
              const std::function<double(std::int64_t)>& expected) {
  std::int64_t wrong_of_ours = 0, wrong_of_theirs = 0, first_of_ours = n, first_of_theirs = n;
#pragma omp parallel for reduction(+ : wrong_of_ours, wrong_of_theirs) reduction(min : first_of_ours, first_of_theirs)
  for (std::int64_t i = 0; i < n; ++i) {
    const auto our = static_cast<double>(ours[i]);
    if (theirs != nullptr && nearness.near(static_cast<double>(theirs[i]), our)) continue;
    const double right = expected(i);
    if (!nearness.near(our, right)) {
      ++wrong_of_ours;
      first_of_ours = std::min(first_of_ours, i);
    }
    if (theirs != nullptr && !nearness.near(static_cast<double>(theirs[i]), right)) {
      ++wrong_of_theirs;
      first_of_theirs = std::min(first_of_theirs, i);
    }
  }
  return {wrong_of_ours, wrong_of_theirs, first_of_ours, first_of_theirs};
}

template <class E>
Referee<E>::Referee(std::string who, const BatchData<E>& batch, const NamedShape& shape, const std::string& layout,
                    kernels::Fusion fusion)
    : who_(std::move(who)), batch_(batch), shape_(shape), channels_last_(layout == kNhwc), fusion_(fusion) {}

template <class E>
std::string Referee<E>::fault(Output output, const E* ours, const E* theirs) {
  return fault_in(output, ours, theirs, shape_.elements(), {agreement_tolerance<E>()},
                  [&](std::int64_t i) { return reference_->element(output, nchw_index(i)); });
}

template <class E>
std::string Referee<E>::fault_of_sums(Output output, const double* ours, const double* theirs) {
  const double scale = std::sqrt(static_cast<double>(shape_.count()));  // of a sum of terms of the order of 1
  return fault_in(output, ours, theirs, shape_.c, {agreement_tolerance<E>(), scale},
                  [&](std::int64_t c) { return reference_->sum(output, c); });
}

template <class E>
template <class T>
std::string Referee<E>::fault_in(Output output, const T* ours, const T* theirs, std::int64_t n,
                                 const Nearness& nearness, const std::function<double(std::int64_t)>& expected) {
  if (theirs != nullptr && all_near(ours, theirs, n, nearness)) return "";
  if (!reference_) reference_.emplace(batch_, shape_, fusion_);
  const Verdict verdict = judge(ours, theirs, n, nearness, expected);
  const auto said = [&](std::int64_t wrong, std::int64_t first, const T* values) {
    return fmt::format("{} is wrong in {} of {} values, the first of which (number {}) is {:.6g}, not {:.6g}",
                       to_string(output), wrong, n, first, static_cast<double>(values[first]), expected(first));
  };
  if (verdict.wrong_of_ours > 0) {
    throw std::runtime_error(
        fmt::format("{}: bnlab's {}", who_, said(verdict.wrong_of_ours, verdict.first_of_ours, ours)));
  }
  if (verdict.wrong_of_theirs == 0) return "";
  return "its " + said(verdict.wrong_of_theirs, verdict.first_of_theirs, theirs);
}

template <class E>
std::int64_t Referee<E>::nchw_index(std::int64_t i) const {
  if (!channels_last_) return i;
  const std::int64_t s = shape_.h * shape_.w, sample = i / (shape_.c * s), within = i % (shape_.c * s);
  return (sample * shape_.c + within % shape_.c) * s + within / shape_.c;
}

#define BNLAB_BENCH_INSTANTIATE(E)                                          \
  template Verdict judge(const E*, const E*, std::int64_t, const Nearness&, \
                         const std::function<double(std::int64_t)>&);       \
  template class Referee<E>;
BNLAB_BENCH_INSTANTIATE(float)
BNLAB_BENCH_INSTANTIATE(double)
BNLAB_BENCH_INSTANTIATE(kernels::BFloat16)
BNLAB_BENCH_INSTANTIATE(kernels::Float16)
#undef BNLAB_BENCH_INSTANTIATE

}  // namespace bnlab::bench
