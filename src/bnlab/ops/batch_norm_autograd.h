// The operators where autograd looks at them: each one's derivative is the next operator, and that of the second
// derivative is composed of ATen operators, as is everything in forward mode. Where no derivative can be asked for,
// they pass straight on.
#pragma once

#include "bnlab/ops/signatures.h"

namespace bnlab::ops::autograd {

TrainingForward batch_norm_training;
EvaluationForward batch_norm_evaluation;
TrainingBackward batch_norm_training_backward;
EvaluationBackward batch_norm_evaluation_backward;
TrainingSecondDerivative batch_norm_training_second_derivative;
EvaluationSecondDerivative batch_norm_evaluation_second_derivative;

/// Statistics are constants: those with a derivative to carry on are refused.
EvaluationStatistics evaluation_statistics;
RunningUpdate update_running_statistics;

}  // namespace bnlab::ops::autograd
