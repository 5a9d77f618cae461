// The density of a symmetric operator's eigenvalues, by stochastic Lanczos quadrature with full orthogonalization.
// Source: Ubaru, Chen & Saad 2017; for networks Ghorbani, Krishnan & Xiao 2019 (1901.10159), section 2.
//
// For a random unit vector v, m steps of Lanczos give nodes θ and weights τ with Σ τ f(θ) = vᵀ f(A) v for every
// polynomial f of degree 2m - 1 or less; over v that is on average tr f(A) / n.
//
//     const SpectralDensity density = spectral_density(loss.hessian(), {.probes = 10, .steps = 80, .seed = 7});
//     const DensityCurve curve = density_curve(density, grid, 0.02 * top);
//     if (!curve.converged) …  // the bumps may be single nodes: take more steps or a larger width
#pragma once

#include <cstdint>
#include <vector>

#include "bnlab/numerics/linear_operator.h"

namespace bnlab {

struct DensityOptions {
  int64_t probes = 10;
  int64_t steps = 80;  ///< m; more than the dimension counts as the dimension
  uint64_t seed = 0;
};

/// What one start vector gives.
struct Quadrature {
  std::vector<double> nodes;      ///< θ, ascending
  std::vector<double> weights;    ///< τ >= 0, sum 1
  std::vector<double> residuals;  ///< an eigenvalue lies within it of the node
  bool exact = false;  ///< the start vector's invariant subspace was found: the nodes are eigenvalues, the sum is exact
};

struct SpectralDensity {
  std::vector<Quadrature> probes;
  bool finite = true;    ///< false: a product held NaN or infinity, and there are no probes
  double residual = 0;   ///< mean over probes of Σ τ residual: by how much a node is off, at most; NaN if not finite
  int64_t products = 0;  ///< that it took
};

/// Memory: `steps` vectors. Throws c10::Error for options out of range.
SpectralDensity spectral_density(const LinearOperator& a, const DensityOptions& options);

/// A mean over probes with its standard error, which is NaN for fewer than two probes; both NaN for none.
struct ProbeMean {
  double value = 0;
  double standard_error = 0;
};

/// tr Aᵖ / n, p >= 0. Without bias if p < 2 * steps.
ProbeMean spectral_moment(const SpectralDensity& density, int power);

struct DensityCurve {
  std::vector<ProbeMean> values;  ///< one a grid point; the density's integral over all numbers is 1
  double residual = 0;            ///< SpectralDensity::residual
  bool converged = false;         ///< residual <= width: the nodes stand closer to eigenvalues than the curve can show
};

/// Each eigenvalue as a Gaussian of standard deviation `width` > 0. Throws c10::Error for another width.
DensityCurve density_curve(const SpectralDensity& density, const std::vector<double>& grid, double width);

}  // namespace bnlab
