// The operators of the library "bnlab" as libtorch's dispatcher knows them; from here, from Python and from TorchScript
// they are called alike, through autograd, tracing and whatever else is active. Schemas and registrations: library.cpp.
//
// C++ programs use batch_norm.h, which has defaults and no masks to care for. A program that uses neither header is
// linked without the operators, unless it takes the whole of the library bnlab_ops.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include "bnlab/ops/backward_phases.h"
#include "bnlab/ops/channel_moments.h"
#include "bnlab/ops/signatures.h"

namespace bnlab::ops::dispatched {

template <class Signature>
using Operator = c10::TypedOperatorHandle<Signature>;

extern const Operator<TrainingForward> batch_norm_training;
extern const Operator<EvaluationForward> batch_norm_evaluation;
extern const Operator<TrainingBackward> batch_norm_training_backward;
extern const Operator<EvaluationBackward> batch_norm_evaluation_backward;
extern const Operator<TrainingSecondDerivative> batch_norm_training_second_derivative;
extern const Operator<EvaluationSecondDerivative> batch_norm_evaluation_second_derivative;
extern const Operator<BackwardSums> batch_norm_backward_sums;
extern const Operator<BackwardBySums> batch_norm_backward_by_sums;
extern const Operator<ChannelMoments> channel_moments;
extern const Operator<EvaluationStatistics> evaluation_statistics;
extern const Operator<RunningUpdate> update_running_statistics;

}  // namespace bnlab::ops::dispatched
