#include "bnlab/numerics/interpolation.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace bnlab {
namespace {

struct Term {
  double weight;
  const ParameterState* state;
};

void check_alike(const ParameterState& a, const ParameterState& b) {
  TORCH_CHECK(a.size() == b.size(), "interpolation: expected states of one network, got ", a.size(), " and ", b.size(),
              " parameters.");
  for (size_t i = 0; i < a.size(); ++i) {
    TORCH_CHECK(a[i].sizes() == b[i].sizes() && a[i].scalar_type() == b[i].scalar_type(),
                "interpolation: expected states of one network, got parameter ", i, " of ", a[i].sizes(), " ",
                a[i].scalar_type(), " and ", b[i].sizes(), " ", b[i].scalar_type(), ".");
  }
}

/// Σ weight·state, the sum of weights is 1. A state of weight 0 does not count, even if it is not finite.
ParameterState sum_of(const std::vector<Term>& terms) {
  at::NoGradGuard no_grad;
  const ParameterState& first = *terms.front().state;
  for (const Term& term : terms) check_alike(first, *term.state);
  ParameterState result;
  for (size_t i = 0; i < first.size(); ++i) {
    at::Tensor sum;
    for (const Term& term : terms) {
      if (term.weight == 0) continue;
      const at::Tensor part = (*term.state)[i].to(at::kDouble) * term.weight;
      sum = sum.defined() ? sum + part : part;
    }
    result.push_back(sum.to(first[i].scalar_type()));
  }
  return result;
}

}  // namespace

ParameterState parameter_state(const Network& network) {
  ParameterState state;
  for (const at::Tensor& parameter : network.parameters()) state.push_back(parameter.detach().clone());
  return state;
}

ParameterState on_line(const ParameterState& a, const ParameterState& b, double t) {
  return sum_of({{1 - t, &a}, {t, &b}});
}

ParameterState on_triangle(const ParameterState& a, const ParameterState& b, const ParameterState& c, double s,
                           double t) {
  return sum_of({{1 - s - t, &a}, {s, &b}, {t, &c}});
}

ParameterState on_patch(const std::array<ParameterState, 4>& corners, double s, double t) {
  return sum_of(
      {{(1 - s) * (1 - t), &corners[0]}, {s * (1 - t), &corners[1]}, {(1 - s) * t, &corners[2]}, {s * t, &corners[3]}});
}

}  // namespace bnlab
