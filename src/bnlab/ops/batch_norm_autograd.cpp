#include "bnlab/ops/batch_norm_autograd.h"

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/csrc/autograd/custom_function.h>

#include "bnlab/ops/batch_norm_composed.h"
#include "bnlab/ops/checks.h"
#include "bnlab/ops/library.h"

namespace bnlab::ops::autograd {
namespace {

using BelowAutograd = at::AutoDispatchBelowADInplaceOrView;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

/// The derivatives of batch_norm_training.
struct Training {
  static constexpr const char* name = "bnlab::batch_norm_training";
  static constexpr auto& backward = dispatched::batch_norm_training_backward;
  static constexpr auto& second_derivative = dispatched::batch_norm_training_second_derivative;
  static constexpr auto& composed_backward = composed::batch_norm_training_backward;
  static constexpr auto& composed_second_derivative = composed::batch_norm_training_second_derivative;
};

/// The derivatives of batch_norm_evaluation; they take no eps.
struct Evaluation {
  static constexpr const char* name = "bnlab::batch_norm_evaluation";
  static constexpr auto& backward = dispatched::batch_norm_evaluation_backward;
  static constexpr auto& second_derivative = dispatched::batch_norm_evaluation_second_derivative;
  static constexpr auto& composed_backward = composed::batch_norm_evaluation_backward;
  static constexpr auto& composed_second_derivative = composed::batch_norm_evaluation_second_derivative;
};

/// Calls op, a function, with the arguments of a training operator, without eps if `Mode` has none.
template <class Mode, class Function, class Last, class... Arguments>
auto call(const Function& op, double eps, const Last& wanted, const Arguments&... arguments) {
  if constexpr (std::is_same_v<Mode, Training>) {
    return op(arguments..., eps, wanted);
  } else {
    return op(arguments..., wanted);
  }
}

/// The same with one of the dispatcher's operators.
template <class Mode, class Signature, class Last, class... Arguments>
auto call(const dispatched::Operator<Signature>& op, double eps, const Last& wanted, const Arguments&... arguments) {
  return call<Mode>([&](const auto&... all) { return op.call(all...); }, eps, wanted, arguments...);
}

bool requires_grad(const at::Tensor& tensor) {
  return tensor.requires_grad();
}
bool requires_grad(const OptionalTensor& tensor) {
  return tensor.has_value() && tensor->requires_grad();
}

template <class... Tensors>
bool any_tangent(const Tensors&... tensors) {
  return (has_tangent(tensors) || ...);
}

template <class... Tensors>
bool needs_graph(const Tensors&... tensors) {
  return at::GradMode::is_enabled() && (requires_grad(tensors) || ...);
}

template <std::size_t count>
std::int64_t pack(const std::array<bool, count>& flags) {
  std::int64_t bits = 0;
  for (std::size_t i = 0; i < count; ++i) bits |= std::int64_t{flags[i]} << i;
  return bits;
}

template <std::size_t count>
std::array<bool, count> unpack(std::int64_t bits) {
  std::array<bool, count> flags;
  for (std::size_t i = 0; i < count; ++i) flags[i] = (bits >> i & 1) != 0;
  return flags;
}

/// Which gradients autograd wants, of the first of a node's inputs; it numbers only those that are `given`.
template <std::size_t count>
std::array<bool, count> wanted_of(AutogradContext* ctx, const std::array<bool, count>& given) {
  std::array<bool, count> wanted{};
  std::size_t edge = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (given[i]) wanted[i] = ctx->needs_input_grad(edge++);
  }
  return wanted;
}

/// For PyTorch 2's compiled autograd: the nodes' backward functions read what they saved, and nothing else.
constexpr bool kTraceable = true;

/// x, gamma, beta and addend are the first inputs of both nodes below.
void save_forward(AutogradContext* ctx, const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                  const OptionalTensor& addend, const at::Tensor& mean, const at::Tensor& rstd,
                  const at::Tensor& relu_mask, bool relu, double eps) {
  ctx->save_for_backward({x, value_or_undefined(gamma), mean, rstd, relu ? relu_mask : at::Tensor()});
  ctx->saved_data["given"] = pack<4>({true, gamma.has_value(), beta.has_value(), addend.has_value()});
  ctx->saved_data["eps"] = eps;
  ctx->set_materialize_grads(false);
}

/// The gradients of a node with so many inputs.
template <class Mode>
variable_list forward_gradients(AutogradContext* ctx, const at::Tensor& dy, std::size_t inputs) {
  variable_list gradients(inputs);
  if (!dy.defined()) return gradients;
  const variable_list saved = ctx->get_saved_variables();
  const auto wanted = wanted_of(ctx, unpack<4>(ctx->saved_data["given"].toInt()));
  std::tie(gradients[0], gradients[1], gradients[2], gradients[3]) =
      call<Mode>(Mode::backward, ctx->saved_data["eps"].toDouble(), wanted, dy, saved[0], if_defined(saved[1]),
                 saved[2], saved[3], if_defined(saved[4]));
  return gradients;
}

/// The node of a forward pass that is computed already. Its only output is y: the statistics and the mask are
/// constants.
struct TrainingNode : Function<TrainingNode> {
  static constexpr bool is_traceable = kTraceable;

  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const OptionalTensor& gamma,
                            const OptionalTensor& beta, const OptionalTensor& addend, const Quintuple& computed,
                            bool relu, double eps) {
    const auto& [y, mean, rstd, var_biased, relu_mask] = computed;
    save_forward(ctx, x, gamma, beta, addend, mean, rstd, relu_mask, relu, eps);
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& dys) {
    return forward_gradients<Training>(ctx, dys[0], /*inputs=*/7);
  }
};

struct EvaluationNode : Function<EvaluationNode> {
  static constexpr bool is_traceable = kTraceable;

  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const OptionalTensor& gamma,
                            const OptionalTensor& beta, const OptionalTensor& addend, const at::Tensor& mean,
                            const at::Tensor& rstd, const Pair& computed, bool relu) {
    const auto& [y, relu_mask] = computed;
    save_forward(ctx, x, gamma, beta, addend, mean, rstd, relu_mask, relu, /*eps=*/0);
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& dys) {
    return forward_gradients<Evaluation>(ctx, dys[0], /*inputs=*/8);
  }
};

/// The node of a backward pass, whose own derivative is the second. Autograd takes no undefined tensors as outputs:
/// only the wanted gradients are returned.
template <class Mode>
struct BackwardNode : Function<BackwardNode<Mode>> {
  static constexpr bool is_traceable = kTraceable;

  static variable_list forward(AutogradContext* ctx, const at::Tensor& dy, const at::Tensor& x,
                               const OptionalTensor& gamma, const at::Tensor& mean, const at::Tensor& rstd,
                               const OptionalTensor& relu_mask, double eps, WantedGradients wanted) {
    const BelowAutograd guard;
    const auto [dx, dgamma, dbeta, daddend] =
        call<Mode>(Mode::backward, eps, wanted, dy, x, gamma, mean, rstd, relu_mask);
    ctx->save_for_backward({dy, x, value_or_undefined(gamma), mean, rstd, value_or_undefined(relu_mask)});
    ctx->saved_data["eps"] = eps;
    ctx->saved_data["wanted"] = pack(wanted);
    ctx->set_materialize_grads(false);
    variable_list outputs;
    for (const at::Tensor& gradient : {dx, dgamma, dbeta, daddend}) {
      if (gradient.defined()) outputs.push_back(gradient);
    }
    return outputs;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& cotangents) {
    std::array<OptionalTensor, 4> of;
    const WantedGradients returned = unpack<4>(ctx->saved_data["wanted"].toInt());
    bool any = false;
    for (std::size_t i = 0, next = 0; i < of.size(); ++i) {
      if (returned[i]) of[i] = if_defined(cotangents[next++]);
      any |= of[i].has_value();
    }
    variable_list gradients(8);
    if (!any) return gradients;
    const variable_list saved = ctx->get_saved_variables();
    const WantedSecond wanted = wanted_of<3>(ctx, {true, true, saved[2].defined()});
    std::tie(gradients[0], gradients[1], gradients[2]) =
        call<Mode>(Mode::second_derivative, ctx->saved_data["eps"].toDouble(), wanted, of[0], of[1], of[2], of[3],
                   saved[0], saved[1], if_defined(saved[2]), saved[3], saved[4], if_defined(saved[5]));
    return gradients;
  }
};

template <class Mode>
Quadruple backward(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma, const at::Tensor& mean,
                   const at::Tensor& rstd, const OptionalTensor& relu_mask, double eps, WantedGradients wanted) {
  check_constant(Mode::name, "mean", mean);
  check_constant(Mode::name, "rstd", rstd);
  if (any_tangent(dy, x, gamma)) {
    return call<Mode>(Mode::composed_backward, eps, wanted, dy, x, gamma, mean, rstd, relu_mask);
  }
  if (!needs_graph(dy, x, gamma) || pack(wanted) == 0) {
    const BelowAutograd guard;
    return call<Mode>(Mode::backward, eps, wanted, dy, x, gamma, mean, rstd, relu_mask);
  }
  const variable_list outputs = BackwardNode<Mode>::apply(dy, x, gamma, mean, rstd, relu_mask, eps, wanted);
  std::array<at::Tensor, 4> of;
  for (std::size_t i = 0, next = 0; i < of.size(); ++i) {
    if (wanted[i]) of[i] = outputs[next++];
  }
  return {of[0], of[1], of[2], of[3]};
}

/// Beyond the kernels' second derivative, or in forward mode, composed.
template <class Mode>
Triple second_derivative(const OptionalTensor& ddx, const OptionalTensor& ddgamma, const OptionalTensor& ddbeta,
                         const OptionalTensor& ddaddend, const at::Tensor& dy, const at::Tensor& x,
                         const OptionalTensor& gamma, const at::Tensor& mean, const at::Tensor& rstd,
                         const OptionalTensor& relu_mask, double eps, WantedSecond wanted) {
  check_constant(Mode::name, "mean", mean);
  check_constant(Mode::name, "rstd", rstd);
  if (any_tangent(ddx, ddgamma, ddbeta, ddaddend, dy, x, gamma) ||
      needs_graph(ddx, ddgamma, ddbeta, ddaddend, dy, x, gamma)) {
    return call<Mode>(Mode::composed_second_derivative, eps, wanted, ddx, ddgamma, ddbeta, ddaddend, dy, x, gamma, mean,
                      rstd, relu_mask);
  }
  const BelowAutograd guard;
  return call<Mode>(Mode::second_derivative, eps, wanted, ddx, ddgamma, ddbeta, ddaddend, dy, x, gamma, mean, rstd,
                    relu_mask);
}

void check_running_constant(const char* name, const at::Tensor& running_mean, const at::Tensor& running_var) {
  check_constant(name, "running_mean", running_mean);
  check_constant(name, "running_var", running_var);
}

}  // namespace

Quintuple batch_norm_training(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                              const OptionalTensor& addend, bool relu, double eps, bool save_mask) {
  if (any_tangent(x, gamma, beta, addend)) {
    return composed::batch_norm_training(x, gamma, beta, addend, relu, eps, save_mask);
  }
  const bool graph = needs_graph(x, gamma, beta, addend);
  Quintuple computed;
  {
    const BelowAutograd guard;
    computed = dispatched::batch_norm_training.call(x, gamma, beta, addend, relu, eps, save_mask || graph);
  }
  if (graph) std::get<0>(computed) = TrainingNode::apply(x, gamma, beta, addend, computed, relu, eps);
  return computed;
}

Pair batch_norm_evaluation(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                           const at::Tensor& mean, const at::Tensor& rstd, const OptionalTensor& addend, bool relu,
                           bool save_mask) {
  check_constant(Evaluation::name, "mean", mean);
  check_constant(Evaluation::name, "rstd", rstd);
  if (any_tangent(x, gamma, beta, addend)) {
    return composed::batch_norm_evaluation(x, gamma, beta, mean, rstd, addend, relu, save_mask);
  }
  const bool graph = needs_graph(x, gamma, beta, addend);
  Pair computed;
  {
    const BelowAutograd guard;
    computed = dispatched::batch_norm_evaluation.call(x, gamma, beta, mean, rstd, addend, relu, save_mask || graph);
  }
  if (graph) std::get<0>(computed) = EvaluationNode::apply(x, gamma, beta, addend, mean, rstd, computed, relu);
  return computed;
}

Quadruple batch_norm_training_backward(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                       const at::Tensor& mean, const at::Tensor& rstd, const OptionalTensor& relu_mask,
                                       double eps, WantedGradients wanted) {
  return backward<Training>(dy, x, gamma, mean, rstd, relu_mask, eps, wanted);
}

Quadruple batch_norm_evaluation_backward(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                         const at::Tensor& mean, const at::Tensor& rstd,
                                         const OptionalTensor& relu_mask, WantedGradients wanted) {
  return backward<Evaluation>(dy, x, gamma, mean, rstd, relu_mask, /*eps=*/0, wanted);
}

Triple batch_norm_training_second_derivative(const OptionalTensor& ddx, const OptionalTensor& ddgamma,
                                             const OptionalTensor& ddbeta, const OptionalTensor& ddaddend,
                                             const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                             const at::Tensor& mean, const at::Tensor& rstd,
                                             const OptionalTensor& relu_mask, double eps, WantedSecond wanted) {
  return second_derivative<Training>(ddx, ddgamma, ddbeta, ddaddend, dy, x, gamma, mean, rstd, relu_mask, eps, wanted);
}

Triple batch_norm_evaluation_second_derivative(const OptionalTensor& ddx, const OptionalTensor& ddgamma,
                                               const OptionalTensor& ddbeta, const OptionalTensor& ddaddend,
                                               const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                               const at::Tensor& mean, const at::Tensor& rstd,
                                               const OptionalTensor& relu_mask, WantedSecond wanted) {
  return second_derivative<Evaluation>(ddx, ddgamma, ddbeta, ddaddend, dy, x, gamma, mean, rstd, relu_mask, /*eps=*/0,
                                       wanted);
}

Pair evaluation_statistics(const at::Tensor& running_mean, const at::Tensor& running_var, double eps) {
  check_running_constant("bnlab::evaluation_statistics", running_mean, running_var);
  const BelowAutograd guard;
  return dispatched::evaluation_statistics.call(running_mean, running_var, eps);
}

void update_running_statistics(const at::Tensor& mean, const at::Tensor& var_biased, c10::SymInt count,
                               c10::optional<double> momentum, const at::Tensor& running_mean,
                               const at::Tensor& running_var, const OptionalTensor& num_batches_tracked,
                               const OptionalTensor& window_mean, const OptionalTensor& window_var,
                               const OptionalTensor& skipped, const OptionalTensor& step,
                               const OptionalTensor& last_step) {
  constexpr const char* kName = "bnlab::update_running_statistics";
  check_constant(kName, "mean", mean);
  check_constant(kName, "var_biased", var_biased);
  check_running_constant(kName, running_mean, running_var);
  if (window_mean.has_value()) check_constant(kName, "window_mean", *window_mean);
  if (window_var.has_value()) check_constant(kName, "window_var", *window_var);
  const BelowAutograd guard;
  dispatched::update_running_statistics.call(mean, var_biased, count, momentum, running_mean, running_var,
                                             num_batches_tracked, window_mean, window_var, skipped, step, last_step);
}

}  // namespace bnlab::ops::autograd
