// The operators' work below autograd: arguments checked, results allocated, kernels run. The same functions serve CPU
// tensors and meta tensors, for which they stop before the kernels: so sizes, strides and types cannot differ.
#pragma once

#include "bnlab/ops/signatures.h"

namespace bnlab::ops::native {

/// Errors: see batch_norm.h.
TrainingForward batch_norm_training;
EvaluationForward batch_norm_evaluation;
TrainingBackward batch_norm_training_backward;
EvaluationBackward batch_norm_evaluation_backward;
TrainingSecondDerivative batch_norm_training_second_derivative;
EvaluationSecondDerivative batch_norm_evaluation_second_derivative;

}  // namespace bnlab::ops::native
