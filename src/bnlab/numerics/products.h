// What the iterations of this folder share: counted products, and an orthonormal basis that grows.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "bnlab/data/random.h"
#include "bnlab/numerics/linear_operator.h"

namespace bnlab {

/// A product held a NaN or an infinity.
class NotFinite : public std::runtime_error {
 public:
  NotFinite() : std::runtime_error("a product of the operator is not finite") {}
};

/// Applies an operator, counts, and lets nothing pass that is not finite.
class Products {
 public:
  explicit Products(const LinearOperator& a) : a_(a) {}

  /// A v, both (n) double. Throws NotFinite.
  at::Tensor of(const at::Tensor& v);
  int64_t count() const { return count_; }
  int64_t dimension() const { return a_.dimension; }

 private:
  const LinearOperator& a_;
  int64_t count_ = 0;
};

/// (n) double, independent normal numbers.
at::Tensor normal_vector(int64_t dimension, Random& random);

/// Orthonormal vectors of R^n, one a row.
class Basis {
 public:
  Basis(int64_t capacity, int64_t dimension);

  int64_t size() const { return size_; }
  at::Tensor rows() const;  ///< (size, n); shares memory
  at::Tensor row(int64_t i) const { return memory_[i]; }

  /// Takes out of w (n) what lies in the basis, twice, so that rounding leaves nothing of it (Kahan and Parlett:
  /// "twice is enough"). Returns the coefficients (size).
  at::Tensor remove_from(at::Tensor& w) const;
  /// Appends direction / ‖direction‖; `direction` is orthogonal to the basis.
  void append(const at::Tensor& direction);
  /// Appends a random direction. The basis must not yet span R^n.
  void append_random(Random& random);
  /// Replaces the rows by `rows`, orthonormal combinations of them.
  void replace(const at::Tensor& rows);

 private:
  at::Tensor memory_;  // (capacity, n)
  int64_t size_ = 0;
};

/// Of a double tensor of any layout, in logical order.
std::vector<double> as_doubles(const at::Tensor& values);

/// What could not be computed.
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Below this share of an operator's scale, a direction is rounding noise: the space is invariant.
constexpr double kInvariant = 1e-12;

}  // namespace bnlab
