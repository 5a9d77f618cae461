// The figures of the experiment bjorck-fig1.
#pragma once

#include "bnlab/experiments/bjorck/fig1_runs.h"
#include "bnlab/record/figure.h"

namespace bnlab::bjorck {

Figure rates_curves_figure(const ArmRuns& runs);  ///< a: training and test accuracy
Figure outcomes_figure(const ArmRuns& runs);      ///< b: learned, diverged, or neither, by rate
Figure deep_losses_figure(const ArmRuns& runs);   ///< c: the deep network's first losses

}  // namespace bnlab::bjorck
