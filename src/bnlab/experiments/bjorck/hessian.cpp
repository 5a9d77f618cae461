#include "bnlab/experiments/bjorck/hessian.h"

#include <fmt/format.h>

#include <cmath>

#include "bnlab/record/statistics.h"

namespace bnlab::bjorck {

Precondition eigenvalues_converged(const ArmRuns& runs, const std::vector<Spectrum>& spectra) {
  double least = 1, residual = 0;
  for (const Spectrum& spectrum : spectra) {
    for (RunReader* run : runs.of(spectrum.arm)) {
      const auto all = run->scalars({"curvature", 0, spectrum.name + "converged"}).values;
      if (all.empty()) least = NAN;
      for (const double value : all) lower_to(least, value);
      for (const double value : run->scalars({"curvature", 0, spectrum.name + "residual"}).values) {
        raise_to(residual, value);
      }
    }
  }
  return {"eigenvalues-converged", least == 1,
          fmt::format("largest residual ‖Hv − λv‖: {:.2g} of λ₁; {}", residual,
                      least == 1 ? "all converged" : "not all eigenvalues converged")};
}

}  // namespace bnlab::bjorck
