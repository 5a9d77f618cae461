// The derivatives of the operators, judged by finite differences, by ATen, and the second by the composed fallback.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "bnlab/ops/batch_layout.h"
#include "bnlab/ops/batch_norm.h"
#include "bnlab/ops/batch_norm_composed.h"
#include "bnlab/ops/library.h"
#include "tests/ops/cases.h"
#include "tests/ops/differences.h"

namespace bnlab::ops {
namespace {

constexpr double kLargeEps = 1e-2;

struct Form {
  bool training;
  Fused fused;
};

std::string name_of(const Form& form) {
  const char* fusions[] = {"Plain", "Relu", "AddRelu"};
  return std::string(form.training ? "Training" : "Evaluation") + fusions[static_cast<int>(form.fused)];
}

/// Statistics that have nothing to do with the batch.
at::Tensor some_mean(const at::Tensor& x) {
  return at::linspace(-0.5, 0.5, x.size(1), at::kDouble);
}
at::Tensor some_var(const at::Tensor& x) {
  return some_mean(x) + 1.5;
}

/// <y, dy^2> as a function of x, gamma, beta, dy and the addend, so that derivatives mix all of them; the square makes
/// the second derivatives by dy visible.
Scalar loss(const Form& form) {
  return [form](const Tensors& t) {
    const Epilogue after = epilogue(form.fused, t[4]);
    const at::Tensor y =
        form.training ? batch_norm_training(t[0], t[1], t[2], kLargeEps, after).y
                      : batch_norm_evaluation(t[0], t[1], t[2], some_mean(t[0]), some_var(t[0]), kLargeEps, after);
    return (y * t[3] * t[3]).sum();
  };
}

Scalar aten_loss(const Form& form) {
  return [form](const Tensors& t) {
    const at::Tensor none;
    const at::Tensor z =
        form.training ? at::batch_norm(t[0], t[1], t[2], none, none, true, 0.1, kLargeEps, false)
                      : at::batch_norm(t[0], t[1], t[2], some_mean(t[0]), some_var(t[0]), false, 0.1, kLargeEps, false);
    return (composed_epilogue(z, form.fused, t[4]) * t[3] * t[3]).sum();
  };
}

/// The same in elementary operators, which autograd differentiates rightly to any order. ATen's batch_norm is not for
/// that: in training its third derivative takes the statistics for constants (libtorch 1.13: finite differences
/// differ).
Scalar elementary_loss(const Form& form) {
  return [form](const Tensors& t) {
    const auto dims = batch_dims(t[0].dim());
    const auto of = [&](const at::Tensor& values) { return per_channel(values, t[0].dim()); };
    const at::Tensor mean = form.training ? t[0].mean(dims, /*keepdim=*/true) : of(some_mean(t[0]));
    const at::Tensor centered = t[0] - mean;
    const at::Tensor var = form.training ? (centered * centered).mean(dims, /*keepdim=*/true) : of(some_var(t[0]));
    const at::Tensor z = centered / (var + kLargeEps).sqrt() * of(t[1]) + of(t[2]);
    return (composed_epilogue(z, form.fused, t[4]) * t[3] * t[3]).sum();
  };
}

Tensors inputs(const Case& which) {
  const Inputs t(which);
  return {t.x, t.gamma, t.beta, t.dy.detach().set_requires_grad(true), t.addend};
}

class BatchNormDerivatives : public testing::TestWithParam<Form> {};
INSTANTIATE_TEST_SUITE_P(Forms, BatchNormDerivatives,
                         testing::Values(Form{true, Fused::kNone}, Form{true, Fused::kRelu},
                                         Form{true, Fused::kAddRelu}, Form{false, Fused::kNone},
                                         Form{false, Fused::kRelu}, Form{false, Fused::kAddRelu}),
                         [](const auto& info) { return name_of(info.param); });

TEST_P(BatchNormDerivatives, FirstSecondAndThirdMatchDifferences) {
  const Scalar first = loss(GetParam()), second = next_order(first, 1), third = next_order(second, 2);
  for (const Order order : {Order::kContiguous, Order::kChannelsLast, Order::kStrided}) {
    const Tensors at = inputs({{3, 2, 2, 2}, order});
    expect_gradients_match_differences(first, at, 1e-7);
    expect_gradients_match_differences(second, at, 1e-6);
  }
  expect_gradients_match_differences(third, inputs({{3, 2, 2, 2}, Order::kChannelsLast}), 1e-5);
}

/// `order` 2 or 3, at the inputs; where f does not depend on one, zeros.
Tensors derivatives(const Scalar& f, int order, const Tensors& at) {
  const Scalar second = next_order(f, 1);
  Tensors found = gradients(order == 2 ? second : next_order(second, 2), at);
  for (std::size_t i = 0; i < at.size(); ++i) {
    if (!found[i].defined()) found[i] = at::zeros_like(at[i]);
  }
  return found;
}

void expect_same_derivatives(const Scalar& f, const Scalar& judge, int order, const Tensors& at, double tolerance) {
  const char* names[] = {"x", "gamma", "beta", "dy", "addend"};
  const auto found = derivatives(f, order, at), expected = derivatives(judge, order, at);
  for (std::size_t i = 0; i < at.size(); ++i) expect_close(found[i], expected[i], tolerance, names[i]);
}

TEST_P(BatchNormDerivatives, SecondAgreesWithAtenAndThirdWithElementaryOperators) {
  for (const Case& which : cases()) {
    SCOPED_TRACE(name_of(which));
    const Tensors at = inputs(which);
    expect_same_derivatives(loss(GetParam()), aten_loss(GetParam()), 2, at, 1e-9);
    expect_same_derivatives(loss(GetParam()), elementary_loss(GetParam()), 3, at, 1e-9);
  }
}

TEST_P(BatchNormDerivatives, AGraphOfTheDerivativesDoesNotChangeThem) {
  const Tensors at = inputs({{6, 5, 3, 3}, Order::kChannelsLast});
  const Scalar f = loss(GetParam());
  const auto plain = gradients(f, at), with_graph = gradients(f, at, /*create_graph=*/true);
  for (std::size_t i = 0; i < at.size(); ++i) {
    ASSERT_EQ(plain[i].defined(), with_graph[i].defined());
    if (!plain[i].defined()) continue;
    EXPECT_TRUE(at::equal(plain[i], with_graph[i])) << i;
    EXPECT_FALSE(plain[i].requires_grad());
  }
  EXPECT_TRUE(with_graph[0].requires_grad());
}

/// Of a backward pass's results.
struct Cotangents {
  OptionalTensor ddx, ddgamma, ddbeta, ddaddend;
};

/// The arguments of a second derivative's operator.
struct Second {
  Second(const Case& which, at::ScalarType type, const Form& form) : form(form), t(which, type) {
    const at::NoGradGuard no_grad;
    const OptionalTensor addend = if_defined(epilogue(form.fused, t.addend).addend);
    const bool relu = form.fused != Fused::kNone;
    if (form.training) {
      std::tie(y, mean, rstd, std::ignore, mask) =
          dispatched::batch_norm_training.call(t.x, t.gamma, t.beta, addend, relu, kLargeEps, /*save_mask=*/true);
    } else {
      mean = some_mean(t.x);
      rstd = some_var(t.x).rsqrt();
      std::tie(y, mask) = dispatched::batch_norm_evaluation.call(t.x, t.gamma, t.beta, mean, rstd, addend, relu,
                                                                 /*save_mask=*/true);
    }
    at::Generator generator = at::detail::createCPUGenerator(11);
    const auto random = [&](const at::Tensor& like) {
      return at::randn(like.sizes(), generator, at::kDouble).to(like.scalar_type());
    };
    cotangents = {random(t.x), random(t.gamma), random(t.gamma), OptionalTensor()};
    if (form.fused == Fused::kAddRelu) cotangents.ddaddend = random(t.x);
  }

  Triple by_kernel(WantedSecond wanted) const {
    const at::NoGradGuard no_grad;
    const auto& [ddx, ddgamma, ddbeta, ddaddend] = cotangents;
    const OptionalTensor given_mask = form.fused == Fused::kNone ? OptionalTensor() : OptionalTensor(mask);
    return form.training
               ? dispatched::batch_norm_training_second_derivative.call(
                     ddx, ddgamma, ddbeta, ddaddend, t.dy, t.x, t.gamma, mean, rstd, given_mask, kLargeEps, wanted)
               : dispatched::batch_norm_evaluation_second_derivative.call(ddx, ddgamma, ddbeta, ddaddend, t.dy, t.x,
                                                                          t.gamma, mean, rstd, given_mask, wanted);
  }

  /// In double, whatever the type.
  Triple by_composition() const {
    const at::NoGradGuard no_grad;
    const auto wide = [](const OptionalTensor& tensor) {
      return tensor.has_value() ? OptionalTensor(tensor->to(at::kDouble)) : tensor;
    };
    const Cotangents of{wide(cotangents.ddx), wide(cotangents.ddgamma), wide(cotangents.ddbeta),
                        wide(cotangents.ddaddend)};
    const at::Tensor x = t.x.to(at::kDouble), gamma = t.gamma.to(at::kDouble);
    at::Tensor dy = t.dy.to(at::kDouble);
    if (form.fused != Fused::kNone) dy = dy * (y > 0);
    constexpr WantedSecond kAll{true, true, true};
    Triple found =
        form.training
            ? composed::batch_norm_training_second_derivative(of.ddx, of.ddgamma, of.ddbeta, of.ddaddend, dy, x, gamma,
                                                              mean, rstd, c10::nullopt, kLargeEps, kAll)
            : composed::batch_norm_evaluation_second_derivative(of.ddx, of.ddgamma, of.ddbeta, of.ddaddend, dy, x,
                                                                gamma, mean, rstd, c10::nullopt, kAll);
    if (form.fused != Fused::kNone) std::get<0>(found) = std::get<0>(found) * (y > 0);
    return found;
  }

  Form form;
  Inputs t;
  at::Tensor y, mean, rstd, mask;
  Cotangents cotangents;
};

void expect_each_close(const Triple& found, const Triple& expected, double tolerance) {
  expect_close(std::get<0>(found), std::get<0>(expected), tolerance, "grad_dy");
  expect_close(std::get<1>(found), std::get<1>(expected), tolerance, "grad_x");
  expect_close(std::get<2>(found), std::get<2>(expected), tolerance, "grad_gamma");
}

TEST_P(BatchNormDerivatives, SecondDerivativeKernelIsTheComposedOne) {
  for (const auto& [type, tolerance] : {std::pair{at::kDouble, 1e-11}, std::pair{at::kFloat, 1e-5},
                                        std::pair{at::kBFloat16, 4e-3}, std::pair{at::kHalf, 5e-4}}) {
    for (const Case& which : cases()) {
      SCOPED_TRACE(name_of(which) + c10::toString(type));
      const Second second(which, type, GetParam());
      expect_each_close(second.by_kernel({true, true, true}), second.by_composition(), tolerance);
    }
  }
}

TEST_P(BatchNormDerivatives, SecondDerivativeOfOneCotangentIsThatOfTheOthersZero) {
  Second second({{5, 65, 7, 7}, Order::kChannelsLast}, at::kDouble, GetParam());
  const Cotangents all = second.cotangents;
  for (OptionalTensor Cotangents::*given :
       {&Cotangents::ddx, &Cotangents::ddgamma, &Cotangents::ddbeta, &Cotangents::ddaddend}) {
    second.cotangents = {};
    second.cotangents.*given = all.*given;
    expect_each_close(second.by_kernel({true, true, true}), second.by_composition(), 1e-11);
  }
}

TEST_P(BatchNormDerivatives, OneSecondDerivativeAloneIsTheSameAsAmongAll) {
  const Second second({{5, 6, 7, 7}, Order::kContiguous}, at::kFloat, GetParam());
  const auto list = [](const Triple& t) { return Tensors{std::get<0>(t), std::get<1>(t), std::get<2>(t)}; };
  const Tensors all = list(second.by_kernel({true, true, true}));
  for (std::size_t wanted = 0; wanted < 3; ++wanted) {
    const Tensors some = list(second.by_kernel({wanted == 0, wanted == 1, wanted == 2}));
    for (std::size_t i = 0; i < 3; ++i) {
      ASSERT_EQ(some[i].defined(), i == wanted);
      EXPECT_TRUE(i != wanted || at::equal(some[i], all[i])) << i;
    }
  }
}

// The gradient of a loss that contains a gradient: what a gradient penalty does.
TEST(BatchNormGradientPenalty, AgreesWithAtenInFloat) {
  for (const Form& form : {Form{true, Fused::kNone}, Form{true, Fused::kAddRelu}}) {
    const Inputs t({{8, 6, 5, 5}, Order::kChannelsLast}, at::kFloat);
    const Tensors at = {t.x, t.gamma, t.beta, t.dy, t.addend};
    const auto penalized = [&](const Scalar& f) {
      const at::Tensor value = f(at);
      const auto dx = torch::autograd::grad({value}, {t.x}, {}, true, /*create_graph=*/true)[0];
      return torch::autograd::grad({value + (dx * dx).sum()}, {t.x, t.gamma});
    };
    const auto ours = penalized(loss(form)), theirs = penalized(aten_loss(form));
    expect_close(ours[0], theirs[0], 1e-4, "x");
    expect_close(ours[1], theirs[1], 1e-4, "gamma");
  }
}

}  // namespace
}  // namespace bnlab::ops
