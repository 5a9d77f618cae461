// Batch normalization of one batch in the plainest way, in long double: it says who is wrong where contenders differ.
// It shares no code with the kernels. Source: Ioffe & Szegedy 2015, Algorithm 1 and the gradients of section 3.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bnlab/bench/batch_data.h"
#include "bnlab/kernels/batch_norm.h"

namespace bnlab::bench {

/// A tensor that contenders compute.
enum class Output { kEvaluatedY, kY, kDx, kDaddend, kDgamma, kDbeta };
[[nodiscard]] std::string to_string(Output output);

/// E: float, double, kernels::BFloat16 or kernels::Float16.
template <class E>
class Reference {
 public:
  /// Computes all channels' statistics and sums.
  Reference(const BatchData<E>& batch, const NamedShape& shape, kernels::Fusion fusion);

  /// Of element i of plain NCHW, not rounded to E: kEvaluatedY, kY, kDx or kDaddend.
  [[nodiscard]] double element(Output output, std::int64_t i) const;
  /// Of channel c: kDgamma or kDbeta.
  [[nodiscard]] double sum(Output output, std::int64_t c) const;

 private:
  struct Channel {
    long double mean, rstd, dgamma, dbeta;
  };
  struct Coefficients {
    long double mean, rstd;
  };
  void compute_channel(std::int64_t c);
  [[nodiscard]] long double z(std::size_t i, std::size_t c, const Coefficients& by) const;
  [[nodiscard]] long double dz(std::size_t i, std::size_t c, const Coefficients& by) const;

  const BatchData<E>& batch_;
  std::int64_t n_, c_, s_;
  kernels::Fusion fusion_;
  std::vector<Channel> channels_;
};

}  // namespace bnlab::bench
