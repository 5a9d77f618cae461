// Mean and variance of all values of several batches, merged from those of each batch. Source: Chan, Golub & LeVeque
// 1979, equations 2.1.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace bnlab {

class BatchMoments {
 public:
  /// mean, var_biased: (C) double, of `count` values a channel.
  void add(const at::Tensor& mean, const at::Tensor& var_biased, std::int64_t count);

  [[nodiscard]] std::int64_t count() const { return count_; }     ///< values a channel
  [[nodiscard]] const at::Tensor& mean() const { return mean_; }  ///< (C) double; undefined before any batch
  [[nodiscard]] at::Tensor var_biased() const;                    ///< (C) double, for one value or more
  [[nodiscard]] at::Tensor var_unbiased() const;                  ///< (C) double, for two values or more

 private:
  at::Tensor mean_, squares_;  // squares of differences from the mean, summed
  std::int64_t count_ = 0;
};

}  // namespace bnlab
