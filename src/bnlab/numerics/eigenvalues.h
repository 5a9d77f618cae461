// The top eigenvalues of a symmetric operator, and the largest singular value of a matrix, by thick-restart Lanczos
// with full orthogonalization. Source: Wu & Simon 2000, "Thick-restart Lanczos method for large symmetric eigenvalue
// problems".
//
// Lanczos from one vector finds an eigenvalue that repeats only once. Therefore, when all of several wanted eigenvalues
// have converged, it goes on from a new random direction orthogonal to them, and ends only when that brings nothing
// higher.
//
//     const auto top = top_eigenpairs(loss.hessian(), {.count = 5, .seed = 7});
//     if (top.converged) use(top.pairs[0].value);
#pragma once

#include <cstdint>
#include <vector>

#include "bnlab/numerics/linear_operator.h"

namespace bnlab {

enum class EigenOrder {
  kLargest,    ///< λ₁ >= λ₂ >= …
  kMagnitude,  ///< |λ₁| >= |λ₂| >= …
};

struct EigenOptions {
  int64_t count = 1;  ///< how many; more than the dimension counts as the dimension
  EigenOrder order = EigenOrder::kLargest;
  double tolerance = 1e-3;      ///< bound of residuals, as a share of the largest |λ| seen
  int64_t most_products = 500;  ///< at least 2 * count + 1
  bool vectors = false;         ///< return them
  uint64_t seed = 0;            ///< of the start vector
};

struct Eigenpair {
  double value = 0;     ///< λ = vᵀAv, ‖v‖ = 1
  double residual = 0;  ///< ‖Av - λv‖, of a product of its own; an eigenvalue lies within it of λ
  bool converged = false;
  std::vector<double> vector;  ///< v, if asked for
};

struct Eigenpairs {
  std::vector<Eigenpair> pairs;  ///< in order; also those that have not converged
  bool converged = false;        ///< all of them, and no higher one turned up
  bool finite = true;            ///< false: a product held NaN or infinity, and there are no pairs
  double residual = 0;           ///< the largest of the pairs; NaN if not finite
  int64_t products = 0;          ///< that it took
};

/// Memory: 2 * count + 16 vectors. Throws c10::Error for options out of range.
Eigenpairs top_eigenpairs(const LinearOperator& a, const EigenOptions& options);

struct SingularValue {
  double value = 0;     ///< σ; NaN if not finite
  double residual = 0;  ///< ‖XᵀXv - σ²v‖ / σ²; NaN if not finite
  bool converged = false;
  bool finite = true;  ///< false: a product held NaN or infinity
  int64_t products = 0;
};

/// The largest singular value of X. `gram`: XᵀX. Of `options`, count, order and vectors are not used.
SingularValue largest_singular_value(const LinearOperator& gram, EigenOptions options);

}  // namespace bnlab
