// What the experiments on the Hessian share: whether its eigenvalues were found.
#pragma once

#include <string>
#include <vector>

#include "bnlab/study/evidence.h"

namespace bnlab::bjorck {

/// One of the operators of probes/curvature.h in the runs of an arm: "M_K", e.g. "population_scaled_".
struct Spectrum {
  Arm arm;
  std::string name;
};

/// Precondition that Lanczos found all eigenvalues that were asked for, at every look of every run.
Precondition eigenvalues_converged(const ArmRuns& runs, const std::vector<Spectrum>& spectra);

}  // namespace bnlab::bjorck
