// The operators written with differentiable ATen operators: slow, but right under every transform and at every order.
// They stand in for the kernels where those cannot serve: forward-mode derivatives, functorch's transforms, derivatives
// beyond the second, and values beyond the range of the kernels' arithmetic. They compute in double, whatever x's type.
// Formulas: docs/operators/.
#pragma once

#include "bnlab/ops/signatures.h"

namespace bnlab::ops::composed {

/// mean, rstd and var_biased are detached. Refused: save_mask, since the mask's bits are the kernels' own.
TrainingForward batch_norm_training;

/// Refused: save_mask. mean and rstd count as variables.
EvaluationForward batch_norm_evaluation;

/// The statistics are computed from x again, so that derivatives flow through them; mean and rstd are not read.
/// relu_mask: of a forward kernel, a plain tensor; constant.
TrainingBackward batch_norm_training_backward;
EvaluationBackward batch_norm_evaluation_backward;
TrainingSecondDerivative batch_norm_training_second_derivative;
EvaluationSecondDerivative batch_norm_evaluation_second_derivative;

EvaluationStatistics evaluation_statistics;

/// Finite statistics beyond the running ones' type become infinite: no error can depend on values here.
RunningUpdate update_running_statistics;

}  // namespace bnlab::ops::composed
