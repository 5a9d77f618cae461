#include "bnlab/ops/library.h"

#include <torch/library.h>
#include <torch/version.h>

#include <string>
#include <vector>

#include "bnlab/ops/backward_phases.h"
#include "bnlab/ops/batch_norm_autograd.h"
#include "bnlab/ops/batch_norm_composed.h"
#include "bnlab/ops/batch_norm_kernels.h"
#include "bnlab/ops/caching_allocator.h"
#include "bnlab/ops/channel_moments.h"
#include "bnlab/ops/conveniences.h"
#include "bnlab/ops/convolutions.h"
#include "bnlab/ops/running_statistics.h"

namespace bnlab::ops {
namespace {

/// torch.compile may trust these operators, and keeps the order of strides that their arguments were traced with.
const std::vector<at::Tag> kTags = {
#if TORCH_VERSION_MAJOR >= 2
    at::Tag::pt2_compliant_tag, at::Tag::needs_fixed_stride_order
#endif
};

}  // namespace

TORCH_LIBRARY(bnlab, m) {
  m.def(
      "batch_norm_training(Tensor x, Tensor? gamma, Tensor? beta, Tensor? addend, bool relu, float eps, bool save_mask)"
      " -> (Tensor y, Tensor mean, Tensor rstd, Tensor var_biased, Tensor relu_mask)",
      kTags);
  m.def(
      "batch_norm_training_backward(Tensor dy, Tensor x, Tensor? gamma, Tensor mean, Tensor rstd, Tensor? relu_mask,"
      " float eps, bool[4] wanted) -> (Tensor dx, Tensor dgamma, Tensor dbeta, Tensor daddend)",
      kTags);
  m.def(
      "batch_norm_training_second_derivative(Tensor? ddx, Tensor? ddgamma, Tensor? ddbeta, Tensor? ddaddend, Tensor dy,"
      " Tensor x, Tensor? gamma, Tensor mean, Tensor rstd, Tensor? relu_mask, float eps, bool[3] wanted)"
      " -> (Tensor grad_dy, Tensor grad_x, Tensor grad_gamma)",
      kTags);
  m.def(
      "batch_norm_evaluation(Tensor x, Tensor? gamma, Tensor? beta, Tensor mean, Tensor rstd, Tensor? addend, bool "
      "relu,"
      " bool save_mask) -> (Tensor y, Tensor relu_mask)",
      kTags);
  m.def(
      "batch_norm_evaluation_backward(Tensor dy, Tensor x, Tensor? gamma, Tensor mean, Tensor rstd, Tensor? relu_mask,"
      " bool[4] wanted) -> (Tensor dx, Tensor dgamma, Tensor dbeta, Tensor daddend)",
      kTags);
  m.def(
      "batch_norm_evaluation_second_derivative(Tensor? ddx, Tensor? ddgamma, Tensor? ddbeta, Tensor? ddaddend,"
      " Tensor dy, Tensor x, Tensor? gamma, Tensor mean, Tensor rstd, Tensor? relu_mask, bool[3] wanted)"
      " -> (Tensor grad_dy, Tensor grad_x, Tensor grad_gamma)",
      kTags);
  m.def(
      "batch_norm_backward_sums(Tensor dy, Tensor x, Tensor mean, Tensor rstd, Tensor? relu_mask)"
      " -> (Tensor sum_dz, Tensor sum_dz_xhat)",
      kTags);
  m.def(
      "batch_norm_backward_by_sums(Tensor dy, Tensor x, Tensor? gamma, Tensor mean, Tensor rstd, Tensor? relu_mask,"
      " Tensor sum_dz, Tensor sum_dz_xhat, SymInt count, bool[2] wanted) -> (Tensor dx, Tensor daddend)",
      kTags);
  m.def("channel_moments(Tensor x) -> (Tensor mean, Tensor m2)", kTags);
  m.def("evaluation_statistics(Tensor running_mean, Tensor running_var, float eps) -> (Tensor mean, Tensor rstd)",
        kTags);
  m.def(
      "update_running_statistics(Tensor mean, Tensor var_biased, SymInt count, float? momentum, Tensor(a!) "
      "running_mean,"
      " Tensor(b!) running_var, Tensor(c!)? num_batches_tracked, Tensor(d!)? window_mean, Tensor(e!)? window_var,"
      " Tensor(f!)? skipped, Tensor? step=None, Tensor(g!)? last_step=None) -> ()",
      kTags);

  m.def(
      "batch_norm(Tensor x, Tensor? weight, Tensor? bias, Tensor(a!)? running_mean, Tensor(b!)? running_var,"
      " bool training, float momentum, float eps) -> Tensor",
      kTags);
  m.impl("batch_norm", &batch_norm);
  m.def(
      "batch_norm_relu(Tensor x, Tensor? weight, Tensor? bias, Tensor(a!)? running_mean, Tensor(b!)? running_var,"
      " bool training, float momentum, float eps) -> Tensor",
      kTags);
  m.impl("batch_norm_relu", &batch_norm_relu);
  m.def(
      "batch_norm_add_relu(Tensor x, Tensor addend, Tensor? weight, Tensor? bias, Tensor(a!)? running_mean,"
      " Tensor(b!)? running_var, bool training, float momentum, float eps) -> Tensor",
      kTags);
  m.impl("batch_norm_add_relu", &batch_norm_add_relu);

  m.def("version() -> str", &version);
  m.def("instruction_set() -> str", &instruction_set);
  m.def("use_instruction_set(str name) -> ()", &use_instruction_set);
  m.def("avoid_wrong_convolutions() -> bool", &avoid_wrong_convolutions);
  m.def("convolutions_were_wrong() -> str", [] { return std::string(kConvolutionsWereWrong); });
  m.def("install_allocator() -> ()", &install_allocator);
  m.def("empty_cache() -> ()", &empty_cache);
}

#define BNLAB_REGISTER(library, from, name) library.impl(#name, &from::name)
#define BNLAB_REGISTER_ALL(library, from)                                 \
  BNLAB_REGISTER(library, from, batch_norm_training);                     \
  BNLAB_REGISTER(library, from, batch_norm_training_backward);            \
  BNLAB_REGISTER(library, from, batch_norm_training_second_derivative);   \
  BNLAB_REGISTER(library, from, batch_norm_evaluation);                   \
  BNLAB_REGISTER(library, from, batch_norm_evaluation_backward);          \
  BNLAB_REGISTER(library, from, batch_norm_evaluation_second_derivative); \
  BNLAB_REGISTER(library, from, batch_norm_backward_sums);                \
  BNLAB_REGISTER(library, from, batch_norm_backward_by_sums)

TORCH_LIBRARY_IMPL(bnlab, CPU, m) {
  BNLAB_REGISTER_ALL(m, native);
  BNLAB_REGISTER(m, native, channel_moments);
  m.impl("evaluation_statistics", &evaluation_statistics);
  m.impl("update_running_statistics", &update_running_statistics);
}

TORCH_LIBRARY_IMPL(bnlab, Meta, m) {
  BNLAB_REGISTER_ALL(m, native);
  BNLAB_REGISTER(m, native, channel_moments);
  m.impl("evaluation_statistics", &evaluation_statistics);
  m.impl("update_running_statistics", &update_running_statistics);
}

TORCH_LIBRARY_IMPL(bnlab, Autograd, m) {
  BNLAB_REGISTER_ALL(m, autograd);
  BNLAB_REGISTER(m, autograd, channel_moments);
  BNLAB_REGISTER(m, autograd, evaluation_statistics);
  BNLAB_REGISTER(m, autograd, update_running_statistics);
}

// Where functorch sees an operator first, before any of its transforms: from here on it sees ATen operators alone,
// whose derivatives and batching it knows. Running statistics pass on: they are changed beneath derivatives, as
// PyTorch's batch normalization does.
TORCH_LIBRARY_IMPL(bnlab, FuncTorchDynamicLayerFrontMode, m) {
  BNLAB_REGISTER_ALL(m, composed);
  BNLAB_REGISTER(m, composed, channel_moments);
  BNLAB_REGISTER(m, composed, evaluation_statistics);
  m.impl("batch_norm", &batch_norm);
  m.impl("batch_norm_relu", &batch_norm_relu);
  m.impl("batch_norm_add_relu", &batch_norm_add_relu);
}

#if TORCH_VERSION_MAJOR < 2
// Later, torch.compile makes mutating operators functional itself, if nothing is registered here.
TORCH_LIBRARY_IMPL(bnlab, Functionalize, m) {
  BNLAB_REGISTER(m, composed, update_running_statistics);
}
#endif

TORCH_LIBRARY_IMPL(bnlab, FuncTorchBatched, m) {
  BNLAB_REGISTER(m, composed, update_running_statistics);
}

// vmap of PyTorch's own, which torch.autograd's vectorized Jacobians and batched gradients use before 2.0.
TORCH_LIBRARY_IMPL(bnlab, Batched, m) {
  BNLAB_REGISTER_ALL(m, composed);
  BNLAB_REGISTER(m, composed, channel_moments);
  BNLAB_REGISTER(m, composed, evaluation_statistics);
  BNLAB_REGISTER(m, composed, update_running_statistics);
}

#undef BNLAB_REGISTER_ALL
#undef BNLAB_REGISTER

namespace dispatched {
namespace {

template <class Signature>
c10::TypedOperatorHandle<Signature> find(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

}  // namespace

// After the registrations above: the objects of one file are initialized in their order.
const Operator<TrainingForward> batch_norm_training = find<TrainingForward>("bnlab::batch_norm_training");
const Operator<EvaluationForward> batch_norm_evaluation = find<EvaluationForward>("bnlab::batch_norm_evaluation");
const Operator<TrainingBackward> batch_norm_training_backward =
    find<TrainingBackward>("bnlab::batch_norm_training_backward");
const Operator<EvaluationBackward> batch_norm_evaluation_backward =
    find<EvaluationBackward>("bnlab::batch_norm_evaluation_backward");
const Operator<TrainingSecondDerivative> batch_norm_training_second_derivative =
    find<TrainingSecondDerivative>("bnlab::batch_norm_training_second_derivative");
const Operator<EvaluationSecondDerivative> batch_norm_evaluation_second_derivative =
    find<EvaluationSecondDerivative>("bnlab::batch_norm_evaluation_second_derivative");
const Operator<BackwardSums> batch_norm_backward_sums = find<BackwardSums>("bnlab::batch_norm_backward_sums");
const Operator<BackwardBySums> batch_norm_backward_by_sums = find<BackwardBySums>("bnlab::batch_norm_backward_by_sums");
const Operator<ChannelMoments> channel_moments = find<ChannelMoments>("bnlab::channel_moments");
const Operator<EvaluationStatistics> evaluation_statistics = find<EvaluationStatistics>("bnlab::evaluation_statistics");
const Operator<RunningUpdate> update_running_statistics = find<RunningUpdate>("bnlab::update_running_statistics");

}  // namespace dispatched
}  // namespace bnlab::ops
