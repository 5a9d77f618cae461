// The operators against ATen's batch_norm, finite differences, and the properties of the transformation.
#include "bnlab/ops/batch_norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ops/differences.h"

namespace bnlab::ops {
namespace {

constexpr double kEps = 1e-5;

enum class Order { kContiguous, kChannelsLast, kStrided };

at::Tensor arrange(const at::Tensor& x, Order order) {
  if (order == Order::kChannelsLast) return x.movedim(1, -1).contiguous().movedim(-1, 1);
  if (order == Order::kStrided) return at::stack({x, x}, -1).select(-1, 1);
  return x.contiguous();
}

struct Case {
  std::vector<std::int64_t> sizes;
  Order order;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Order order : {Order::kContiguous, Order::kChannelsLast, Order::kStrided}) {
    for (const auto& sizes : std::vector<std::vector<std::int64_t>>{{16, 5},
                                                                    {130, 65},
                                                                    {4, 3, 17},
                                                                    {8, 16, 8, 8},
                                                                    {5, 65, 7, 7},
                                                                    {3, 1, 5, 5},
                                                                    {6, 4, 1, 1},
                                                                    {3, 2, 4, 3, 5}}) {
      all.push_back({sizes, order});
    }
  }
  return all;
}

struct Inputs {
  explicit Inputs(const Case& which, at::ScalarType type = at::kDouble, double mean = 0.5) {
    at::Generator generator = at::detail::createCPUGenerator(7);
    const auto random = [&](at::IntArrayRef sizes) { return at::randn(sizes, generator, at::kDouble); };
    const std::int64_t channels = which.sizes[1];
    x = arrange((random(which.sizes) + mean).to(type), which.order).set_requires_grad(true);
    dy = arrange(random(which.sizes).to(type), which.order);
    gamma = (1 + 0.3 * random({channels})).to(type).set_requires_grad(true);
    beta = random({channels}).to(type).set_requires_grad(true);
    running_mean = random({channels}).to(type);
    running_var = (1 + random({channels}).abs()).to(type);
  }

  at::Tensor x, dy, gamma, beta, running_mean, running_var;
};

class EachCaseAndType : public testing::TestWithParam<at::ScalarType> {
 public:
  double tolerance() const { return GetParam() == at::kDouble ? 1e-12 : 1e-5; }
};
INSTANTIATE_TEST_SUITE_P(BatchNorm, EachCaseAndType, testing::Values(at::kFloat, at::kDouble));

TEST_P(EachCaseAndType, TrainingAgreesWithAten) {
  for (const Case& which : cases()) {
    SCOPED_TRACE(testing::PrintToString(which.sizes) + " order " + std::to_string(static_cast<int>(which.order)));
    Inputs t(which, GetParam());
    const auto ours = batch_norm_training(t.x, t.gamma, t.beta, kEps);
    const at::Tensor mean = at::zeros_like(t.running_mean), var_unbiased = at::zeros_like(mean);
    const auto theirs = at::batch_norm(t.x, t.gamma, t.beta, mean, var_unbiased, true, 1.0, kEps, false);
    expect_close(ours.y, theirs, tolerance(), "y");
    const double count = static_cast<double>(t.x.numel() / t.x.size(1));
    expect_close(ours.mean, mean, tolerance(), "mean");
    expect_close(ours.var_biased * (count / (count - 1)), var_unbiased, tolerance(), "var");
    EXPECT_EQ(ours.y.strides(), which.order == Order::kStrided ? t.x.contiguous().strides() : t.x.strides());

    const Tensors inputs = {t.x, t.gamma, t.beta};
    const auto got = torch::autograd::grad({ours.y}, inputs, {t.dy});
    const auto expected = torch::autograd::grad({theirs}, inputs, {t.dy});
    const char* names[] = {"dx", "dgamma", "dbeta"};
    for (std::size_t i = 0; i < 3; ++i) expect_close(got[i], expected[i], 2 * tolerance(), names[i]);
  }
}

TEST_P(EachCaseAndType, EvaluationAgreesWithAten) {
  for (const Case& which : cases()) {
    SCOPED_TRACE(testing::PrintToString(which.sizes) + " order " + std::to_string(static_cast<int>(which.order)));
    Inputs t(which, GetParam());
    const auto ours = batch_norm_evaluation(t.x, t.gamma, t.beta, t.running_mean, t.running_var, kEps);
    const auto theirs = at::batch_norm(t.x, t.gamma, t.beta, t.running_mean, t.running_var, false, 0.1, kEps, false);
    expect_close(ours, theirs, tolerance(), "y");
    const Tensors inputs = {t.x, t.gamma, t.beta};
    const auto got = torch::autograd::grad({ours}, inputs, {t.dy});
    const auto expected = torch::autograd::grad({theirs}, inputs, {t.dy});
    const char* names[] = {"dx", "dgamma", "dbeta"};
    for (std::size_t i = 0; i < 3; ++i) expect_close(got[i], expected[i], 2 * tolerance(), names[i]);
  }
}

TEST(BatchNormOp, WithoutGammaAndBetaStandardizes) {
  Inputs t({{9, 4, 6}, Order::kContiguous});
  const at::Tensor none;
  const auto y = batch_norm_training(t.x, none, none, kEps).y;
  expect_close(y, at::batch_norm(t.x, none, none, none, none, true, 0.1, kEps, false), 1e-12, "y");
  const auto dx = torch::autograd::grad({y}, {t.x}, {t.dy})[0];
  const auto same = batch_norm_training(t.x, at::ones({4}, at::kDouble), at::zeros({4}, at::kDouble), kEps).y;
  EXPECT_TRUE(at::equal(dx, torch::autograd::grad({same}, {t.x}, {t.dy})[0]));
  // gamma alone, beta alone: the gradients find their inputs.
  const auto gamma_only = torch::autograd::grad({batch_norm_training(t.x, t.gamma, none, kEps).y}, {t.gamma}, {t.dy});
  expect_close(gamma_only[0], (t.dy * y).sum(at::IntArrayRef{0, 2}), 1e-12, "dgamma");
  const auto beta_only = torch::autograd::grad({batch_norm_training(t.x, none, t.beta, kEps).y}, {t.beta}, {t.dy});
  expect_close(beta_only[0], t.dy.sum(at::IntArrayRef{0, 2}), 1e-12, "dbeta");
}

TEST(BatchNormOp, OneGradientAloneIsTheSameAsAmongAll) {
  Inputs t({{6, 4, 3, 3}, Order::kChannelsLast});
  const auto all =
      torch::autograd::grad({batch_norm_training(t.x, t.gamma, t.beta, kEps).y}, {t.x, t.gamma, t.beta}, {t.dy});
  const Tensors inputs = {t.x, t.gamma, t.beta};
  for (std::size_t wanted = 0; wanted < 3; ++wanted) {
    Tensors fixed = {t.x.detach(), t.gamma.detach(), t.beta.detach()};
    fixed[wanted] = inputs[wanted];
    const auto y = batch_norm_training(fixed[0], fixed[1], fixed[2], kEps).y;
    EXPECT_TRUE(at::equal(torch::autograd::grad({y}, {inputs[wanted]}, {t.dy})[0], all[wanted]));
  }
}

TEST(BatchNormOp, AnyOrderOfDyIsRead) {
  for (const Order order : {Order::kContiguous, Order::kChannelsLast}) {
    Inputs t({{6, 4, 3, 5}, order});
    const auto y = batch_norm_training(t.x, t.gamma, t.beta, kEps).y;
    const auto expected = torch::autograd::grad({y}, {t.x}, {t.dy}, /*retain_graph=*/true)[0];
    for (const Order other : {Order::kContiguous, Order::kChannelsLast, Order::kStrided}) {
      EXPECT_TRUE(at::equal(torch::autograd::grad({y}, {t.x}, {arrange(t.dy, other)}, true)[0], expected));
    }
    const auto expanded = at::ones({1, 4, 1, 1}, at::kDouble).expand({6, 4, 3, 5});
    expect_close(torch::autograd::grad({y}, {t.x}, {expanded})[0], at::zeros_like(t.x), 1e-12, "dx of a constant dy");
  }
}

TEST(BatchNormOp, ThreadsDoNotChangeBits) {
  Inputs t({{64, 33, 20, 20}, Order::kChannelsLast}, at::kFloat);
  const int before = at::get_num_threads();
  std::vector<Tensors> results;
  for (int threads = 1; threads <= 4; ++threads) {
    at::set_num_threads(threads);
    const auto out = batch_norm_training(t.x, t.gamma, t.beta, kEps);
    results.push_back(torch::autograd::grad({out.y}, {t.x, t.gamma, t.beta}, {t.dy}));
    results.back().push_back(out.y);
  }
  at::set_num_threads(before);
  for (const Tensors& result : results) {
    for (std::size_t i = 0; i < result.size(); ++i) EXPECT_TRUE(at::equal(result[i], results[0][i]));
  }
}

// <y, dy> as a function of x, gamma, beta and dy, so that derivatives mix all of them. The square of dy makes the
// second derivatives by dy visible.
Scalar training_loss() {
  return [](const Tensors& t) { return (batch_norm_training(t[0], t[1], t[2], 1e-2).y * t[3] * t[3]).sum(); };
}

Scalar evaluation_loss() {
  return [](const Tensors& t) {
    const auto mean = at::linspace(-0.5, 0.5, t[1].size(0), at::kDouble), var = mean + 1.5;
    return (batch_norm_evaluation(t[0], t[1], t[2], mean, var, 1e-2) * t[3] * t[3]).sum();
  };
}

Scalar aten_loss() {
  return [](const Tensors& t) {
    return (at::batch_norm(t[0], t[1], t[2], {}, {}, true, 0.1, 1e-2, false) * t[3] * t[3]).sum();
  };
}

Tensors small_inputs(Order order) {
  const Inputs t({{3, 2, 2, 2}, order});
  return {t.x, t.gamma, t.beta, t.dy.detach().set_requires_grad(true)};
}

TEST(BatchNormDerivatives, FirstSecondAndThirdMatchDifferencesInTraining) {
  for (const Order order : {Order::kContiguous, Order::kChannelsLast, Order::kStrided}) {
    const Tensors at = small_inputs(order);
    expect_gradients_match_differences(training_loss(), at, 1e-7);
    expect_gradients_match_differences(next_order(training_loss(), 1), at, 1e-6);
  }
  const Tensors at = small_inputs(Order::kChannelsLast);
  expect_gradients_match_differences(next_order(next_order(training_loss(), 1), 2), at, 1e-5);
}

TEST(BatchNormDerivatives, FirstSecondAndThirdMatchDifferencesInEvaluation) {
  const Tensors at = small_inputs(Order::kChannelsLast);
  expect_gradients_match_differences(evaluation_loss(), at, 1e-7);
  expect_gradients_match_differences(next_order(evaluation_loss(), 1), at, 1e-6);
  expect_gradients_match_differences(next_order(next_order(evaluation_loss(), 1), 2), at, 1e-5);
}

TEST(BatchNormDerivatives, SecondAgreesWithAten) {
  for (const Case& which : cases()) {
    SCOPED_TRACE(testing::PrintToString(which.sizes));
    const Inputs t(which);
    const Tensors at = {t.x, t.gamma, t.beta, t.dy.detach().set_requires_grad(true)};
    const auto ours = gradients(next_order(training_loss(), 1), at);
    const auto theirs = gradients(next_order(aten_loss(), 1), at);
    const char* names[] = {"x", "gamma", "beta", "dy"};
    for (std::size_t i = 0; i < 4; ++i) expect_close(ours[i], theirs[i], 1e-9, names[i]);
  }
}

// create_graph takes another way to the same first derivatives.
TEST(BatchNormDerivatives, ComposedFirstDerivativesAreTheKernels) {
  for (const Scalar& loss : {training_loss(), evaluation_loss()}) {
    const Inputs t({{6, 5, 3, 3}, Order::kChannelsLast});
    const Tensors at = {t.x, t.gamma, t.beta, t.dy.detach().set_requires_grad(true)};
    const auto kernel = gradients(loss, at), composed = gradients(loss, at, /*create_graph=*/true);
    for (std::size_t i = 0; i < 4; ++i) {
      expect_close(composed[i], kernel[i], 1e-12, "gradient");
      EXPECT_FALSE(kernel[i].requires_grad());
    }
    EXPECT_TRUE(composed[0].requires_grad());
  }
}

TEST(BatchNormProperties, DxSumsToZeroAndIsOrthogonalToXhat) {
  for (const Order order : {Order::kContiguous, Order::kChannelsLast}) {
    Inputs t({{12, 7, 9, 9}, order});
    const at::Tensor none;
    const auto out = batch_norm_training(t.x, t.gamma, t.beta, 0.0);
    const auto xhat = batch_norm_training(t.x, none, none, 0.0).y;
    const auto dx = torch::autograd::grad({out.y}, {t.x}, {t.dy})[0];
    const std::vector<std::int64_t> dims = {0, 2, 3};
    ASSERT_GT(dx.abs().max().item<double>(), 0.1);
    expect_close(dx.sum(dims), at::zeros({7}, at::kDouble), 1e-11, "sum dx");
    expect_close((dx * xhat).sum(dims), at::zeros({7}, at::kDouble), 1e-11, "<dx, xhat>");
  }
}

TEST(BatchNormProperties, ScaleAndShiftOfXDoNotMatter) {
  Inputs t({{12, 7, 9}, Order::kContiguous});
  for (const double a : {0.01, 3.0, 1e4}) {
    const auto y = batch_norm_training(t.x, t.gamma, t.beta, 0.01).y;
    const auto moved = batch_norm_training(a * t.x + 17, t.gamma, t.beta, a * a * 0.01).y;
    expect_close(moved, y, 1e-10, "BN(ax + b; a^2 eps)");
  }
}

// gamma = sqrt(var + eps) and beta = mean undo the normalization.
TEST(BatchNormProperties, GammaAndBetaCanGiveTheIdentity) {
  Inputs t({{12, 7, 9, 2}, Order::kChannelsLast}, at::kDouble, 3.0);
  const auto statistics = batch_norm_training(t.x, {}, {}, 0.3);
  const auto y = batch_norm_training(t.x, (statistics.var_biased + 0.3).sqrt(), statistics.mean, 0.3).y;
  expect_close(y, t.x, 1e-13, "y");
}

TEST(BatchNormErrors, SayWhatWasExpectedAndWhatCame) {
  const auto message = [](const auto& f) -> std::string {
    try {
      (void)f();
    } catch (const c10::Error& error) {
      return error.what_without_backtrace();
    }
    return "no error";
  };
  const auto x = at::randn({4, 3, 5}), ones = at::ones({3});
  using testing::HasSubstr;
  EXPECT_THAT(message([&] { return batch_norm_training(at::randn({4}), {}, {}, kEps); }), HasSubstr("rank 2 to 5"));
  EXPECT_THAT(message([&] { return batch_norm_training(x, at::ones({4}), {}, kEps); }),
              HasSubstr("bnlab::batch_norm_training: expected gamma of size (3), one value per channel of x, got [4]"));
  EXPECT_THAT(message([&] { return batch_norm_training(x, {}, ones.to(at::kDouble), kEps); }),
              HasSubstr("expected beta of x's type Float, got Double"));
  EXPECT_THAT(message([&] { return batch_norm_training(x.to(at::kLong), {}, {}, kEps); }), HasSubstr("got Long"));
  EXPECT_THAT(message([&] { return batch_norm_training(x, {}, {}, -1.0); }), HasSubstr("eps >= 0, got -1"));
  EXPECT_THAT(message([&] {
                return batch_norm_training(at::randn({1, 3}), {}, {}, kEps);
              }),
              testing::AllOf(HasSubstr("at least 2 values per channel, got 1"), HasSubstr("drop the last incomplete"),
                             HasSubstr("evaluation mode")));
  EXPECT_THAT(message([&] { return batch_norm_training(at::randn({0, 3}), {}, {}, kEps); }), HasSubstr("got 0"));
  EXPECT_THAT(message([&] { return batch_norm_evaluation(x, {}, {}, ones, at::ones({2}), kEps); }),
              HasSubstr("bnlab::batch_norm_evaluation: expected running_var of size (3)"));
  EXPECT_THAT(
      message([&] { return batch_norm_evaluation(x, {}, {}, ones.clone().set_requires_grad(true), ones, kEps); }),
      HasSubstr("running_mean to be a constant"));
}

TEST(BatchNormOp, EmptyBatchIsFineInEvaluation) {
  const auto x = at::randn({0, 3, 4}).set_requires_grad(true), gamma = at::ones({3}).set_requires_grad(true);
  const auto y = batch_norm_evaluation(x, gamma, {}, at::zeros({3}), at::ones({3}), kEps);
  EXPECT_EQ(y.sizes(), x.sizes());
  EXPECT_TRUE(at::equal(torch::autograd::grad({y.sum()}, {gamma})[0], at::zeros({3})));
}

}  // namespace
}  // namespace bnlab::ops
