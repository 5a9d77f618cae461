#include "bnlab/numerics/spectral_density.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <numeric>

#include "bnlab/numerics/products.h"

namespace bnlab {
namespace {

/// A in the basis that Lanczos builds from one vector.
struct Tridiagonal {
  std::vector<double> diagonal;
  std::vector<double> beside;  // one shorter
  double outside = 0;          // how much of A times the last vector lies outside of the basis; 0: invariant
};

Tridiagonal lanczos(Products& products, const at::Tensor& start, int64_t steps) {
  const int64_t size = std::min(steps, products.dimension());
  Basis basis(size, products.dimension());
  Tridiagonal t;
  double scale = 0;
  basis.append(start);
  while (true) {
    at::Tensor next = products.of(basis.row(basis.size() - 1));
    t.diagonal.push_back(basis.remove_from(next)[-1].item<double>());
    t.outside = next.norm().item<double>();
    scale = std::max({scale, std::abs(t.diagonal.back()), t.outside});
    if (t.outside <= kInvariant * scale || basis.size() == products.dimension()) t.outside = 0;
    if (t.outside == 0 || basis.size() == size) return t;
    t.beside.push_back(t.outside);
    basis.append(next);
  }
}

Quadrature quadrature_of(const Tridiagonal& t) {
  const auto size = static_cast<int64_t>(t.diagonal.size());
  at::Tensor matrix = at::zeros({size, size}, at::kDouble);
  matrix.diagonal().copy_(at::tensor(t.diagonal, at::kDouble));
  if (size > 1) matrix.diagonal(-1).copy_(at::tensor(t.beside, at::kDouble));  // the lower triangle is all that counts
  const auto [values, vectors] = at::linalg_eigh(matrix);
  return {as_doubles(values), as_doubles(vectors[0].square()), as_doubles(vectors[size - 1].abs() * t.outside),
          t.outside == 0};
}

double weighted(const Quadrature& quadrature, const std::function<double(size_t)>& value) {
  double sum = 0;
  for (size_t i = 0; i < quadrature.nodes.size(); ++i) sum += quadrature.weights[i] * value(i);
  return sum;
}

ProbeMean mean_of(const std::vector<double>& values) {
  if (values.empty()) return {kNan, kNan};
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, values.size() < 2 ? kNan : std::sqrt(squares / (count - 1) / count)};
}

/// The mean over probes of Σ τ f(θ).
ProbeMean mean_of(const SpectralDensity& density, const std::function<double(double)>& f) {
  std::vector<double> values;
  for (const Quadrature& probe : density.probes) {
    values.push_back(weighted(probe, [&](size_t i) { return f(probe.nodes[i]); }));
  }
  return mean_of(values);
}

double mean_residual(const std::vector<Quadrature>& probes) {
  std::vector<double> values;
  for (const Quadrature& probe : probes) {
    values.push_back(weighted(probe, [&](size_t i) { return probe.residuals[i]; }));
  }
  return mean_of(values).value;
}

}  // namespace

SpectralDensity spectral_density(const LinearOperator& a, const DensityOptions& options) {
  TORCH_CHECK(a.dimension > 0 && options.probes > 0 && options.steps > 0,
              "spectral_density: expected a dimension, probes and steps of 1 or more, got ", a.dimension, ", ",
              options.probes, " and ", options.steps, ".");
  at::NoGradGuard no_grad;
  SpectralDensity density;
  Products products(a);
  try {
    for (int64_t probe = 0; probe < options.probes; ++probe) {
      Random random(mix(options.seed, "density", probe));
      const at::Tensor start = normal_vector(a.dimension, random);
      density.probes.push_back(quadrature_of(lanczos(products, start, options.steps)));
    }
  } catch (const NotFinite&) {
    density.probes.clear();
    density.finite = false;
  }
  density.residual = mean_residual(density.probes);
  density.products = products.count();
  return density;
}

ProbeMean spectral_moment(const SpectralDensity& density, int power) {
  return mean_of(density, [power](double node) { return std::pow(node, power); });
}

DensityCurve density_curve(const SpectralDensity& density, const std::vector<double>& grid, double width) {
  TORCH_CHECK(width > 0, "density_curve: expected a width above 0, got ", width, ".");
  const double height = 1 / (width * std::sqrt(2 * std::numbers::pi));
  DensityCurve curve;
  for (const double x : grid) {
    curve.values.push_back(mean_of(density, [=](double node) {
      const double distance = (x - node) / width;
      return height * std::exp(-distance * distance / 2);
    }));
  }
  curve.residual = density.residual;
  curve.converged = density.residual <= width;
  return curve;
}

}  // namespace bnlab
