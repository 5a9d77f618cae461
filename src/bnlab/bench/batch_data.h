// The batches that contenders are timed on, and the comparison of what they make of them.
#pragma once

#include <cstdint>
#include <string>

#include "bnlab/bench/buffer.h"
#include "bnlab/bench/shapes.h"
#include "bnlab/kernels/element.h"

namespace bnlab::bench {

inline constexpr double kEps = 1e-5;
inline constexpr double kMomentum = 0.1;

/// A batch in plain NCHW with all that the steps need. E: float, double, kernels::BFloat16 or kernels::Float16.
template <class E>
struct BatchData {
  Buffer<E> x, dy, addend;
  Buffer<kernels::Compute<E>> gamma, beta;   ///< (C)
  Buffer<double> running_mean, running_var;  ///< (C), for the evaluation
};

/// Nearly normal values, the same ones for the same shape: each channel of x with a mean and a standard deviation of
/// its own, of the order of 1. dy is 0 wherever the fused forms' ReLU has an argument near 0, so that contenders that
/// round differently do not differ in whether they let a gradient pass.
template <class E>
[[nodiscard]] BatchData<E> make_batch(const NamedShape& shape);

/// By how much contenders may differ, relative to max(|value|, scale): 1e-3 for float (oneDNN's sums over 400,000
/// elements are off by 1e-4 without AVX-512), 4e-2 for BFloat16 (whose separate operators round in between), 5e-3 for
/// Float16 (likewise, with three bits more), 1e-9 for double.
template <class E>
[[nodiscard]] double agreement_tolerance();

/// Throws std::runtime_error, "WHAT: …", unless |got - expected| <= tolerance * max(|expected|, scale) for all of n.
template <class T>
void require_agreement(const std::string& what, const T* got, const T* expected, std::int64_t n, double tolerance,
                       double scale = 1);

/// (N,C,S) to (N,S,C).
template <class E>
void to_channels_last(const E* from, E* to, std::int64_t n, std::int64_t c, std::int64_t s);

}  // namespace bnlab::bench
