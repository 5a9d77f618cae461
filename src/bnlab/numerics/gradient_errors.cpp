#include "bnlab/numerics/gradient_errors.h"

#include <ATen/ATen.h>

#include <cmath>

#include "bnlab/data/random.h"

namespace bnlab {
namespace {

/// tr Σ² from the products of the first rows, enough to know it well. In float, whose products are faster.
double squared_covariance(const at::Tensor& errors) {
  constexpr int64_t kMostRows = 512;
  const at::Tensor rows = (errors - errors.mean(0)).slice(0, 0, kMostRows).to(at::kFloat);
  const at::Tensor squares = rows.mm(rows.t()).to(at::kDouble).square();
  const auto count = static_cast<double>(rows.size(0));
  return (squares.sum() - squares.trace()).item<double>() / (count * (count - 1));
}

}  // namespace

ErrorMoments error_moments(const at::Tensor& errors) {
  TORCH_CHECK(errors.dim() == 2 && errors.size(0) >= 2 && errors.scalar_type() == at::kDouble,
              "error_moments: expected two rows or more of type double, got ", errors.sizes(), ".");
  const auto count = static_cast<double>(errors.size(0));
  const double pairs = count * (count - 1);
  const double squares = errors.square().sum().item<double>();
  ErrorMoments moments;
  moments.squared = squares / count;
  moments.bias2 = (errors.sum(0).square().sum().item<double>() - squares) / pairs;
  moments.deviation = std::sqrt(2 * squared_covariance(errors) / pairs);
  return moments;
}

std::vector<std::vector<int64_t>> drawn_batches(int64_t population, int64_t size, int64_t draws, bool replacement,
                                                uint64_t key) {
  TORCH_CHECK(size >= 1 && (replacement || size <= population), "drawn_batches: cannot draw ", size, " of ", population,
              ".");
  std::vector<std::vector<int64_t>> batches;
  for (int64_t draw = 0; draw < draws; ++draw) {
    const uint64_t own = mix(key, "batch", size, replacement ? 1 : 0, draw);
    if (!replacement) {
      batches.push_back(random_permutation(population, own));
      batches.back().resize(static_cast<size_t>(size));
      continue;
    }
    Random random(own);
    batches.emplace_back();
    for (int64_t i = 0; i < size; ++i) {
      batches.back().push_back(static_cast<int64_t>(random.below(static_cast<uint64_t>(population))));
    }
  }
  return batches;
}

}  // namespace bnlab
