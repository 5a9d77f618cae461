#include "bnlab/analyses/random_products.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "bnlab/analyses/values.h"
#include "bnlab/data/random.h"
#include "bnlab/numerics/fuss_catalan.h"
#include "bnlab/record/statistics.h"

namespace bnlab {
namespace {

struct ProductParameters {
  int64_t size = 200;
  std::vector<int64_t> factors = {1, 2, 5, 10};
};

ProductParameters parse_products(const AnalysisSpec& spec) {
  ProductParameters p;
  JsonFields fields(spec.parameters, "parameters");
  fields.optional("size", p.size).check(p.size >= 2 && p.size % 2 == 0, "size", "an even number above 0");
  fields.optional("factors", p.factors);
  const bool rising = std::adjacent_find(p.factors.begin(), p.factors.end(), std::greater_equal<>()) == p.factors.end();
  fields.check(!p.factors.empty() && p.factors.front() >= 1 && rising, "factors", "numbers from 1 on that rise");
  fields.finish();
  if (!spec.inputs.empty()) throw SpecError("inputs", "the analysis \"random-products\" takes no runs");
  return p;
}

at::Tensor gaussian_matrix(int64_t size, Random random) {
  at::Tensor matrix = at::empty({size, size}, at::kDouble);
  auto* values = matrix.data_ptr<double>();
  for (int64_t i = 0; i < matrix.numel(); ++i) values[i] = random.normal() / std::sqrt(static_cast<double>(size));
  return matrix;
}

double distance_to_theory(const std::vector<double>& rising, int64_t factors) {
  const auto n = static_cast<double>(rising.size());
  double largest = 0;
  for (size_t i = 0; i < rising.size(); ++i) {
    const double expected = fuss_catalan_cdf(factors, rising[i] * rising[i]), below = static_cast<double>(i) / n;
    raise_to(largest, std::max(expected - below, below + 1 / n - expected));
  }
  return largest;
}

std::vector<double> by_theory(size_t count, int64_t factors) {
  std::vector<double> values;
  for (size_t i = 0; i < count; ++i) {
    const double share = (static_cast<double>(i) + 0.5) / static_cast<double>(count);
    values.push_back(std::sqrt(fuss_catalan_quantile(factors, share)));
  }
  return values;
}

RunOutcome compute_products(const AnalysisView& view) {
  const ProductParameters p = parse_products(view.spec);
  at::NoGradGuard no_grad;
  view.recorder.scalar(0, 0, "lyapunov_spread", lyapunov_spread(p.size));
  at::Tensor product = at::eye(p.size, at::kDouble), inverse = product;
  for (int64_t s = 1; s <= p.factors.back(); ++s) {
    if (view.options.stop && *view.options.stop) return RunOutcome::kInterrupted;
    const at::Tensor factor =
        gaussian_matrix(p.size, Random(mix(static_cast<uint64_t>(view.spec.seed), "random-products", s)));
    product = factor.matmul(product);
    inverse = inverse.matmul(at::linalg_inv(factor));
    if (std::find(p.factors.begin(), p.factors.end(), s) == p.factors.end()) continue;
    std::vector<double> values = doubles(at::linalg_svdvals(product));
    std::sort(values.begin(), values.end());
    const double largest = values.back(), reciprocal = number(at::linalg_svdvals(inverse).max());
    view.recorder.array(0, s, "singular_values", values);
    view.recorder.array(0, s, "theory", by_theory(values.size(), s));
    view.recorder.scalar(0, s, "distance", distance_to_theory(values, s));
    view.recorder.scalar(0, s, "log_spread", std::log(largest / values[(values.size() - 1) / 2]));
    view.recorder.scalar(0, s, "log_condition", std::log(largest) + std::log(reciprocal));
  }
  return RunOutcome::kDone;
}

}  // namespace

AnalysisKind random_products_analysis() {
  return {"random-products", "singular values of products of random matrices, beside theory",
          [](const AnalysisSpec& spec) {
            const ProductParameters p = parse_products(spec);
            return Json{{"size", p.size}, {"factors", p.factors}};
          },
          compute_products};
}

}  // namespace bnlab
