// From stored runs to the evidence of a claim: one number a run, one effect a seed, preconditions.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bnlab/record/claim.h"
#include "bnlab/study/arms.h"
#include "bnlab/study/measures.h"

namespace bnlab {

/// One number a run of an arm, in the order of the seeds.
using PerSeed = std::vector<double>;

PerSeed each(const ArmRuns& runs, const Arm& arm, const std::function<double(RunReader& run)>& number);
/// Mean training accuracy (0 to 1) over the window.
PerSeed accuracy(const ArmRuns& runs, const Arm& arm, const Window& window);
/// Mean of a probe's scalar over the window. NaN if nothing was recorded there.
PerSeed mean(const ArmRuns& runs, const Arm& arm, const Key& key, const Window& window);

/// What the probe "accuracy" recorded last as test error, in percent; chance if the run diverged, NaN if there is
/// nothing.
PerSeed test_error(const ArmRuns& runs, const Arm& arm);

/// Seed by seed; as long as the shorter one.
PerSeed minus(const PerSeed& a, const PerSeed& b);
PerSeed log_ratio(const PerSeed& a, const PerSeed& b);       ///< ln(a / b)
PerSeed points_between(const PerSeed& a, const PerSeed& b);  ///< 100 (a - b): shares as percentage points
/// The mean of several numbers a seed, e.g. of an effect over layers.
PerSeed mean_of_all(const std::vector<PerSeed>& numbers);

/// Evidence of `effects`, which were made of the runs of `arms`; says which runs are missing, if some are.
Evidence paired(const ArmRuns& runs, const std::vector<Arm>& arms, std::vector<Precondition> preconditions,
                const PerSeed& effects);

/// Precondition "arms-have-learned": training accuracy over the window clearly above chance, in every seed.
Precondition learned(const ArmRuns& runs, const std::vector<Arm>& arms, const Window& window);
/// The same of a regression: mean training loss over the window at most half of the first step's, and no divergence.
Precondition loss_halved(const ArmRuns& runs, const std::vector<Arm>& arms, const Window& window);

}  // namespace bnlab
