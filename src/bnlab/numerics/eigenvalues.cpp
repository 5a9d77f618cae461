#include "bnlab/numerics/eigenvalues.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "bnlab/numerics/products.h"

namespace bnlab {
namespace {

/// The Ritz pairs of a basis V, best first.
struct Ritz {
  at::Tensor values;     ///< (size)
  at::Tensor vectors;    ///< (size, size), one a column: coefficients of V's rows
  at::Tensor residuals;  ///< (size) bounds of ‖A v - θ v‖
};

class ThickRestartLanczos {
 public:
  ThickRestartLanczos(const LinearOperator& a, const EigenOptions& options)
      : options_(options),
        products_(a),
        count_(std::min(options.count, a.dimension)),
        capacity_(std::min(2 * count_ + 16, a.dimension)),
        random_(mix(options.seed, "eigenvalues")),
        basis_(capacity_, a.dimension),
        projected_(at::zeros({capacity_, capacity_}, at::kDouble)),
        outside_(at::zeros({capacity_}, at::kDouble)) {}

  int64_t products() const { return products_.count(); }

  /// Throws NotFinite.
  Eigenpairs run() {
    basis_.append_random(random_);
    while (!extend()) restart();
    return pairs();
  }

 private:
  bool whole_space() const { return basis_.size() == products_.dimension(); }
  bool spent() const { return products_.count() + count_ >= options_.most_products; }

  /// A times the newest vector; goes on with the part of it that is new.
  void multiply_newest() {
    const int64_t j = basis_.size() - 1;
    next_ = products_.of(basis_.row(j));
    const at::Tensor column = basis_.remove_from(next_);
    projected_.select(1, j).slice(0, 0, j + 1).copy_(column);
    projected_.select(0, j).slice(0, 0, j + 1).copy_(column);
    scale_ = std::max({scale_, column.abs().max().item<double>(), next_.norm().item<double>()});
    if (next_.norm().item<double>() <= kInvariant * scale_) next_.reset();
    outside_[j] = next_.defined() ? next_.norm() : at::zeros({}, at::kDouble);
  }

  /// Grows the basis until it is full. Returns whether the search is over.
  bool extend() {
    while (true) {
      multiply_newest();
      ritz_ = ritz();
      if (whole_space()) return found_ = true;
      if (spent()) return true;
      if (all_converged() && !confirming_) {
        if (count_ == 1) return found_ = true;
        return false;
      }
      if (basis_.size() == capacity_) {
        return found_ = confirming_ && nothing_higher();
      }
      outside_[basis_.size() - 1] = 0;
      append_next();
    }
  }

  void append_next() {
    if (next_.defined()) {
      basis_.append(next_);
    } else {
      basis_.append_random(random_);
    }
  }

  /// What eigenvalues are ordered by.
  at::Tensor rank_of(const at::Tensor& values) const {
    return options_.order == EigenOrder::kLargest ? values : values.abs();
  }

  Ritz ritz() const {
    const int64_t size = basis_.size();
    const auto [values, vectors] = at::linalg_eigh(projected_.slice(0, 0, size).slice(1, 0, size));
    const at::Tensor order = rank_of(values).argsort(/*dim=*/0, /*descending=*/true);
    const at::Tensor sorted = vectors.index_select(1, order);
    return {values.index_select(0, order), sorted, sorted.abs().t().mv(outside_.slice(0, 0, size))};
  }

  double bound() const { return options_.tolerance * ritz_.values.abs().max().item<double>(); }

  bool all_converged() const {
    if (ritz_.values.size(0) < count_) return false;
    return ritz_.residuals.slice(0, 0, count_).max().item<double>() <= bound();
  }

  /// Whether a search from a new direction left the wanted values where they were.
  bool nothing_higher() const {
    const at::Tensor rise = rank_of(ritz_.values.slice(0, 0, count_)) - rank_of(confirmed_);
    return rise.abs().max().item<double>() <= bound();
  }

  /// Keeps the best Ritz vectors. Goes on where it was, or from a random direction if there is something to confirm.
  void restart() {
    confirming_ = all_converged();
    const int64_t size = basis_.size();
    const int64_t keep = confirming_ ? count_ : std::min(size - 1, count_ + (capacity_ - count_) / 2);
    if (confirming_) {
      confirmed_ = ritz_.values.slice(0, 0, count_).clone();
      next_.reset();
    } else {
      outside_[size - 1] = 0;  // that part goes on as the next vector
    }
    const at::Tensor kept = ritz_.vectors.slice(1, 0, keep);
    const at::Tensor carried = kept.abs().t().mv(outside_.slice(0, 0, size));
    basis_.replace(kept.t().mm(basis_.rows()));
    projected_.zero_();
    projected_.diagonal().slice(0, 0, keep).copy_(ritz_.values.slice(0, 0, keep));
    outside_.zero_();
    outside_.slice(0, 0, keep).copy_(carried);
    append_next();
  }

  /// The wanted vectors. At the end of a search that confirmed them they are still the first of the basis, and not
  /// mixed with what the search came to of values that are as high to within the tolerance.
  at::Tensor wanted() const {
    const int64_t count = std::min(count_, basis_.size());
    if (found_ && confirming_ && !whole_space()) return basis_.rows().slice(0, 0, count);
    return ritz_.vectors.slice(1, 0, count).t().mm(basis_.rows());
  }

  /// Each wanted pair with the residual of a product of its own.
  Eigenpairs pairs() {
    Eigenpairs result;
    const at::Tensor vectors = wanted();
    const int64_t count = vectors.size(0);
    for (int64_t i = 0; i < count; ++i) {
      const at::Tensor v = vectors[i] / vectors[i].norm(), image = products_.of(v);
      const double value = image.dot(v).item<double>();
      Eigenpair pair;
      pair.value = value;
      pair.residual = (image - value * v).norm().item<double>();
      pair.converged = pair.residual <= bound();
      if (options_.vectors) pair.vector.assign(v.data_ptr<double>(), v.data_ptr<double>() + v.numel());
      result.residual = std::max(result.residual, pair.residual);
      result.pairs.push_back(std::move(pair));
    }
    result.converged = found_ && std::all_of(result.pairs.begin(), result.pairs.end(),
                                             [](const Eigenpair& pair) { return pair.converged; });
    return result;
  }

  const EigenOptions& options_;
  Products products_;
  int64_t count_, capacity_;
  Random random_;
  Basis basis_;
  at::Tensor projected_;  // V A Vᵀ
  at::Tensor outside_;    // how much of A times each row lies outside of V
  at::Tensor next_;       // the new part of A times the newest row; undefined if there is none
  Ritz ritz_;
  at::Tensor confirmed_;  // the wanted values when they had converged
  double scale_ = 0;
  bool confirming_ = false;  // this cycle began from a random direction, beside values that have converged
  bool found_ = false;
};

void check(const LinearOperator& a, const EigenOptions& options) {
  TORCH_CHECK(a.dimension > 0, "top_eigenpairs: expected an operator of a dimension of 1 or more, got ", a.dimension);
  TORCH_CHECK(options.count > 0, "top_eigenpairs: expected a count of 1 or more, got ", options.count, ".");
  TORCH_CHECK(options.tolerance >= 0, "top_eigenpairs: expected a tolerance of 0 or more, got ", options.tolerance);
  TORCH_CHECK(options.most_products > 2 * options.count, "top_eigenpairs: expected most_products of at least ",
              2 * options.count + 1, ", got ", options.most_products, ".");
}

}  // namespace

Eigenpairs top_eigenpairs(const LinearOperator& a, const EigenOptions& options) {
  check(a, options);
  at::NoGradGuard no_grad;
  ThickRestartLanczos search(a, options);
  Eigenpairs result;
  try {
    result = search.run();
  } catch (const NotFinite&) {
    result.finite = false;
    result.residual = kNan;
  }
  result.products = search.products();
  return result;
}

SingularValue largest_singular_value(const LinearOperator& gram, EigenOptions options) {
  options.count = 1;
  options.order = EigenOrder::kLargest;
  options.vectors = false;
  const Eigenpairs top = top_eigenpairs(gram, options);
  SingularValue result{kNan, kNan, top.converged, top.finite, top.products};
  if (!top.finite) return result;
  const double square = std::max(0.0, top.pairs.front().value);
  result.value = std::sqrt(square);
  result.residual = square > 0 ? top.residual / square : top.residual;
  return result;
}

}  // namespace bnlab
