// What a sample of a gradient's errors says: how large they are, and whether their mean is 0.
//
// The mean of M errors is never exactly 0, and with millions of parameters no coordinate by itself tells. Their
// products do: if E e = 0, two independent errors are orthogonal on average. Source: Chen & Qin 2010, "A two-sample
// test for high-dimensional data", its form for one sample.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace bnlab {

struct ErrorMoments {
  double squared = 0;  ///< mean of ‖e‖²
  double bias2 = 0;  ///< ‖E e‖², itself without bias, so at times below 0: the mean of ⟨eᵢ, eⱼ⟩ over all pairs i ≠ j
  double deviation = 0;  ///< standard deviation of bias2 if E e = 0: √(2 tr Σ² / (M (M − 1))), Σ the errors' covariance
};

/// `errors`: (M,P) double, an independent error a row, M at least 2.
ErrorMoments error_moments(const at::Tensor& errors);

/// The number of times a test at 5 % on one side needs the deviation so as to find a bias in 95 % of cases.
inline constexpr double kFound = 3.29;

/// `draws` batches of `size` among `population` examples, a function of all arguments.
std::vector<std::vector<int64_t>> drawn_batches(int64_t population, int64_t size, int64_t draws, bool replacement,
                                                uint64_t key);

}  // namespace bnlab
