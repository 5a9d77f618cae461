// The trace of a symmetric operator. Source: Hutchinson 1990: with independent signs z, E zᵀAz = tr A.
#pragma once

#include <cstdint>

#include "bnlab/numerics/linear_operator.h"

namespace bnlab {

struct TraceOptions {
  double relative_error = 0.05;  ///< the standard error that is wanted, as a share of |trace|
  int64_t least_probes = 10;     ///< at least 2; so that the standard error means something
  int64_t most_probes = 200;
  uint64_t seed = 0;
};

struct TraceEstimate {
  double value = 0;           ///< the mean over probes; NaN if not finite
  double standard_error = 0;  ///< of it, from the spread over probes; NaN if not finite
  bool converged = false;     ///< standard_error <= relative_error * |value|
  bool finite = true;         ///< false: a product held NaN or infinity
  int64_t products = 0;       ///< one a probe
};

/// Ends at the first number of probes that suffices. Throws c10::Error for options out of range.
TraceEstimate hutchinson_trace(const LinearOperator& a, const TraceOptions& options);

}  // namespace bnlab
