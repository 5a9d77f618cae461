#include "bnlab/numerics/trace.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "bnlab/numerics/products.h"

namespace bnlab {
namespace {

at::Tensor random_signs(int64_t dimension, Random random) {
  at::Tensor z = at::empty({dimension}, at::kDouble);
  auto* const values = z.data_ptr<double>();
  for (int64_t i = 0; i < dimension; ++i) values[i] = random.below(2) == 0 ? -1 : 1;
  return z;
}

}  // namespace

TraceEstimate hutchinson_trace(const LinearOperator& a, const TraceOptions& options) {
  TORCH_CHECK(options.least_probes >= 2 && options.most_probes >= options.least_probes,
              "hutchinson_trace: expected 2 <= least_probes <= most_probes, got ", options.least_probes, " and ",
              options.most_probes, ".");
  TraceEstimate estimate;
  Products products(a);
  double squares = 0;  // of differences from the mean (Welford 1962)
  try {
    for (int64_t probe = 1; probe <= options.most_probes && !estimate.converged; ++probe) {
      const at::Tensor z = random_signs(a.dimension, Random(mix(options.seed, "trace", probe)));
      const double sample = products.of(z).dot(z).item<double>();
      const double difference = sample - estimate.value, count = static_cast<double>(probe);
      estimate.value += difference / count;
      squares += difference * (sample - estimate.value);
      if (probe < options.least_probes) continue;
      estimate.standard_error = std::sqrt(squares / (count - 1) / count);
      estimate.converged = estimate.standard_error <= options.relative_error * std::abs(estimate.value);
    }
  } catch (const NotFinite&) {
    estimate = {kNan, kNan, false, false, 0};
  }
  estimate.products = products.count();
  return estimate;
}

}  // namespace bnlab
