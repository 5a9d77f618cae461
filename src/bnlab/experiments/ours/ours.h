// Experiments of our own: questions that the literature leaves open, on its networks.
#pragma once

#include "bnlab/study/experiment.h"

namespace bnlab {

Experiment dln_ics();               ///< can a network without activations have internal covariate shift?
Experiment open_question_spiral();  ///< does the path of training zigzag, turn or spiral?
Experiment open_question_drift();   ///< is the drift of activations the shift of gradients?

}  // namespace bnlab
