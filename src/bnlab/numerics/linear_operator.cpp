#include "bnlab/numerics/linear_operator.h"

#include <c10/util/Exception.h>

namespace bnlab {

LinearOperator scaled(LinearOperator a, std::vector<double> diagonal) {
  TORCH_CHECK(static_cast<int64_t>(diagonal.size()) == a.dimension, "scaled: expected a diagonal of ", a.dimension,
              " elements, got ", diagonal.size(), ".");
  const int64_t dimension = a.dimension;
  return {dimension,
          [a = std::move(a), diagonal = std::move(diagonal)](std::span<const double> in, std::span<double> out) {
            std::vector<double> inner(in.begin(), in.end());
            for (size_t i = 0; i < inner.size(); ++i) inner[i] *= diagonal[i];
            a.apply(inner, out);
            for (size_t i = 0; i < inner.size(); ++i) out[i] *= diagonal[i];
          }};
}

}  // namespace bnlab
