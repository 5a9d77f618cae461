// Symmetric matrices of known spectra, as operators.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "bnlab/numerics/linear_operator.h"
#include "bnlab/numerics/products.h"

namespace bnlab::testing {

/// A orthogonal (n,n), a function of n.
inline at::Tensor orthogonal(int64_t n) {
  Random random(mix(static_cast<uint64_t>(n), "orthogonal"));
  const auto [q, r] = at::linalg_qr(normal_vector(n * n, random).view({n, n}));
  return q;
}

/// Q diag(values) Qᵀ
inline at::Tensor matrix_of(const std::vector<double>& values) {
  const at::Tensor q = orthogonal(static_cast<int64_t>(values.size()));
  return q.mm(at::tensor(values, at::kDouble).diag()).mm(q.t());
}

inline LinearOperator operator_of(const at::Tensor& matrix) {
  const auto n = static_cast<size_t>(matrix.size(0));
  return {matrix.size(0), [matrix, n](std::span<const double> in, std::span<double> out) {
            const at::Tensor v = at::from_blob(const_cast<double*>(in.data()), {matrix.size(0)}, at::kDouble);
            const at::Tensor product = matrix.mv(v).contiguous();
            std::copy_n(product.data_ptr<double>(), n, out.begin());
          }};
}

/// diag(values), without rounding.
inline LinearOperator diagonal_operator(const std::vector<double>& values) {
  return {static_cast<int64_t>(values.size()), [values](std::span<const double> in, std::span<double> out) {
            for (size_t i = 0; i < values.size(); ++i) out[i] = values[i] * in[i];
          }};
}

/// Of dimension n; every product is NaN in one element after `good` products.
inline LinearOperator spoiled_operator(int64_t n, int good) {
  auto left = std::make_shared<int>(good);
  return {n, [n, left](std::span<const double> in, std::span<double> out) {
            for (int64_t i = 0; i < n; ++i) out[i] = static_cast<double>(i) * in[i];
            if ((*left)-- <= 0) out[0] = std::numeric_limits<double>::quiet_NaN();
          }};
}

}  // namespace bnlab::testing
