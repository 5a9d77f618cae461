// The operators against ATen's batch_norm, finite differences, and the properties of the transformation.
#include "bnlab/ops/batch_norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ops/cases.h"
#include "tests/ops/differences.h"
#include "tests/ops/live_bytes.h"

namespace bnlab::ops {
namespace {

class EachCaseAndType : public testing::TestWithParam<at::ScalarType> {
 public:
  double tolerance() const { return GetParam() == at::kDouble ? 1e-12 : 1e-5; }
};
INSTANTIATE_TEST_SUITE_P(BatchNorm, EachCaseAndType, testing::Values(at::kFloat, at::kDouble));

TEST_P(EachCaseAndType, TrainingAgreesWithAten) {
  for (const Case& which : cases()) {
    SCOPED_TRACE(name_of(which));
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
    SCOPED_TRACE(name_of(which));
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

/// y and the gradients of x, gamma, beta and addend.
Tensors with_gradients(const at::Tensor& y, const Inputs& t, Fused fused) {
  Tensors by = {t.x, t.gamma, t.beta};
  if (fused == Fused::kAddRelu) by.push_back(t.addend);
  Tensors all = torch::autograd::grad({y}, by, {t.dy});
  all.push_back(y.detach());
  return all;
}

at::Tensor ours(bool training, const Inputs& t, Fused fused) {
  const Epilogue after = epilogue(fused, t.addend);
  return training ? batch_norm_training(t.x, t.gamma, t.beta, kEps, after).y
                  : batch_norm_evaluation(t.x, t.gamma, t.beta, t.running_mean, t.running_var, kEps, after);
}

TEST_P(EachCaseAndType, FusedFormsAgreeWithAten) {
  for (const bool training : {true, false}) {
    for (const Fused fused : {Fused::kRelu, Fused::kAddRelu}) {
      for (const Case& which : cases()) {
        SCOPED_TRACE(name_of(which) + (training ? " training" : " evaluation"));
        const Inputs t(which, GetParam());
        const at::Tensor z = at::batch_norm(t.x, t.gamma, t.beta, training ? at::Tensor() : t.running_mean,
                                            training ? at::Tensor() : t.running_var, training, 0.1, kEps, false);
        const Tensors found = with_gradients(ours(training, t, fused), t, fused);
        const Tensors expected = with_gradients(composed_epilogue(z, fused, t.addend), t, fused);
        for (std::size_t i = 0; i < found.size(); ++i) expect_close(found[i], expected[i], 2 * tolerance(), "result");
      }
    }
  }
}

// A network must not depend on whether somebody looked at the value between the two.
TEST(BatchNormFused, ReluGivesTheBitsOfASeparateRelu) {
  for (const at::ScalarType type : kTypes) {
    for (const bool training : {true, false}) {
      for (const Case& which : cases()) {
        SCOPED_TRACE(name_of(which) + c10::toString(type) + (training ? " training" : " evaluation"));
        const Inputs t(which, type);
        const Tensors fused = with_gradients(ours(training, t, Fused::kRelu), t, Fused::kRelu);
        const at::Tensor z = ours(training, t, Fused::kNone).to(at::kDouble);  // ATen 1.13 has no relu of Half
        const Tensors separate = with_gradients(at::relu(z).to(type), t, Fused::kRelu);
        for (std::size_t i = 0; i < fused.size(); ++i) EXPECT_TRUE(at::equal(fused[i], separate[i])) << i;
      }
    }
  }
}

TEST(BatchNormFused, ReluPassesNanOnAndItsGradient) {
  const at::Tensor x = at::randn({4, 3, 5});
  x[1][1][2] = std::nan("");
  const auto mean = at::zeros({3}), var = at::ones({3});
  const at::Tensor leaf = x.clone().set_requires_grad(true);
  const at::Tensor y = batch_norm_evaluation(leaf, {}, {}, mean, var, kEps, {.relu = true});
  EXPECT_TRUE(y[1][1][2].isnan().item<bool>());
  EXPECT_EQ(y.isnan().sum().item<int>(), 1);
  const auto dx = torch::autograd::grad({y}, {leaf}, {at::ones_like(x)})[0];
  EXPECT_TRUE(at::equal(dx.ne(0), y.ne(0)));
}

// What autograd keeps for the backward pass: x, statistics and a bit for each element; not y, not the addend.
TEST(BatchNormFused, KeepsXAndABitPerElement) {
  constexpr std::int64_t kChannels = 16;
  for (const bool training : {true, false}) {
    for (const Order order : {Order::kContiguous, Order::kChannelsLast}) {
      const Inputs t({{8, kChannels, 32, 32}, order}, at::kFloat);
      const at::Tensor x = t.x * 1, addend = t.addend * 1;
      LiveBytes live;
      const at::Tensor y = training ? batch_norm_training(x, t.gamma, t.beta, kEps, {.relu = true, .addend = addend}).y
                                    : batch_norm_evaluation(x, t.gamma, t.beta, t.running_mean, t.running_var, kEps,
                                                            {.relu = true, .addend = addend});
      const std::int64_t elements = x.numel(), kept = live.bytes() - elements * std::int64_t{sizeof(float)};
      EXPECT_GE(kept, elements / 8);
      EXPECT_LE(kept, elements / 8 + 4 * kChannels * std::int64_t{sizeof(double)} + 256);
      EXPECT_EQ(x.use_count(), 2) << "x is kept once";
      EXPECT_EQ(addend.use_count(), 1) << "the addend is not kept";
      EXPECT_EQ(y.use_count(), 1) << "y is not kept";
      EXPECT_EQ(y.storage().use_count(), 1) << "nor its elements";
    }
  }
}

TEST(BatchNormFused, KeepsNothingWithoutGradients) {
  const Inputs t({{8, 16, 32, 32}, Order::kContiguous}, at::kFloat);
  const at::NoGradGuard no_grad;
  LiveBytes live;
  const at::Tensor y = batch_norm_training(t.x, t.gamma, t.beta, kEps, {.relu = true}).y;
  EXPECT_EQ(live.bytes(), y.numel() * std::int64_t{sizeof(float)});
}

class EachNarrowType : public testing::TestWithParam<at::ScalarType> {
 public:
  /// Half a unit in the last place.
  double places() const { return GetParam() == at::kBFloat16 ? 1.0 / 256 : 1.0 / 2048; }
};
INSTANTIATE_TEST_SUITE_P(BatchNorm, EachNarrowType, testing::ValuesIn(kNarrowTypes));

TEST_P(EachNarrowType, IsFloatRoundedOnce) {
  for (const bool training : {true, false}) {
    for (const Fused fused : kFusions) {
      for (const Case& which : cases()) {
        SCOPED_TRACE(name_of(which) + (training ? " training" : " evaluation"));
        const Inputs t(which, GetParam());
        Inputs wide = t;
        wide.x = t.x.detach().to(at::kFloat).set_requires_grad(true);
        wide.addend = t.addend.detach().to(at::kFloat).set_requires_grad(true);
        wide.dy = t.dy.to(at::kFloat);
        const at::Tensor y = ours(training, t, fused);
        EXPECT_EQ(y.scalar_type(), GetParam());
        const Tensors narrow = with_gradients(y, t, fused);
        const Tensors exact = with_gradients(ours(training, wide, fused), wide, fused);
        for (std::size_t i = 0; i < narrow.size(); ++i) {
          const at::Tensor expected = exact[i].to(narrow[i].scalar_type()).to(at::kFloat);
          // Not the same where the two float results lie on two sides of a tie.
          const at::Tensor allowed = (narrow[i].scalar_type() == at::kFloat ? 1e-5 : places()) * expected.abs() + 1e-5;
          EXPECT_TRUE((narrow[i].to(at::kFloat) - expected).abs().le(allowed).all().item<bool>()) << i;
        }
      }
    }
  }
}

TEST_P(EachNarrowType, TakesParametersAndStatisticsOfItsOwnToo) {
  const Inputs t({{8, 16, 5, 5}, Order::kChannelsLast}, GetParam());
  const auto gamma = t.gamma.detach().to(GetParam()).set_requires_grad(true);
  const auto y = batch_norm_training(t.x, gamma, {}, kEps).y;
  const auto same = batch_norm_training(t.x, gamma.to(at::kFloat), {}, kEps).y;
  EXPECT_TRUE(at::equal(y, same));
  EXPECT_EQ(torch::autograd::grad({y}, {gamma}, {t.dy})[0].scalar_type(), GetParam());
  const auto mean = t.running_mean.to(GetParam()), var = t.running_var.to(GetParam());
  EXPECT_TRUE(at::equal(batch_norm_evaluation(t.x, gamma, {}, mean, var, kEps),
                        batch_norm_evaluation(t.x, gamma, {}, mean.to(at::kFloat), var.to(at::kFloat), kEps)));
}

TEST(BatchNormHalf, BecomesInfiniteBeyondItsLargestNumberAsGradientsDo) {
  at::Tensor x = at::tensor({-1.0F, 1.0F, -1.0F, 1.0F}).view({4, 1}).to(at::kHalf).set_requires_grad(true);
  const at::Tensor gamma = at::full({1}, 65504.0F);
  for (const auto& [beta, most] : {std::pair{0.0F, 65504.0F}, std::pair{8.0F, 65504.0F},
                                   std::pair{16.0F, std::numeric_limits<float>::infinity()}}) {
    const at::Tensor y = batch_norm_evaluation(x, gamma, at::full({1}, beta), at::zeros({1}), at::ones({1}), 0);
    EXPECT_EQ(y[1].item<float>(), most) << beta;
    EXPECT_TRUE(y[0].isfinite().item<bool>()) << beta;
    const auto dx = torch::autograd::grad({y}, {x}, {at::full({4, 1}, beta).to(at::kHalf)})[0];
    EXPECT_EQ(dx.isinf().all().item<bool>(), beta > 0) << beta;
  }
}

// ATen's batch_norm is not on autocast's lists: it computes in the type that it is given.
TEST(BatchNormAutocast, FallsThroughAsForAten) {
  const Inputs t({{8, 16, 5, 5}, Order::kContiguous}, at::kFloat);
  const at::Tensor weight = at::randn({16, 16, 1, 1});
  at::autocast::set_cpu_enabled(true);
  const at::Tensor conv = at::conv2d(t.x, weight);
  const at::Tensor narrow = batch_norm_training(conv, t.gamma, t.beta, kEps, {.relu = true}).y;
  const at::Tensor wide = batch_norm_training(t.x, t.gamma, t.beta, kEps).y;
  const at::Tensor aten = at::batch_norm(conv, t.gamma, t.beta, {}, {}, true, 0.1, kEps, false);
  at::autocast::clear_cache();
  at::autocast::set_cpu_enabled(false);
  EXPECT_EQ(conv.scalar_type(), at::kBFloat16);
  EXPECT_EQ(narrow.scalar_type(), aten.scalar_type());
  EXPECT_EQ(wide.scalar_type(), at::kFloat);
  const auto gradients = torch::autograd::grad({narrow}, {t.x, t.gamma}, {at::ones_like(narrow)});
  EXPECT_EQ(gradients[0].scalar_type(), at::kFloat);
  EXPECT_EQ(gradients[1].scalar_type(), at::kFloat);
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
  const int before = at::get_num_threads();
  for (const at::ScalarType type : kTypes) {
    for (const Order order : {Order::kContiguous, Order::kChannelsLast}) {
      for (const Fused fused : kFusions) {
        const Inputs t({{64, 33, 20, 20}, order}, type);
        Tensors first;
        for (int threads = 1; threads <= 4; ++threads) {
          at::set_num_threads(threads);
          const Tensors found = with_gradients(ours(true, t, fused), t, fused);
          if (threads == 1) first = found;
          for (std::size_t i = 0; i < found.size(); ++i) EXPECT_TRUE(at::equal(found[i], first[i])) << i;
        }
      }
    }
  }
  at::set_num_threads(before);
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
  EXPECT_THAT(message([&] { return batch_norm_training(x.to(at::kBFloat16), ones.to(at::kDouble), {}, kEps); }),
              HasSubstr("expected gamma of x's type BFloat16 or Float, got Double"));
  EXPECT_THAT(message([&] { return batch_norm_training(x.to(at::kHalf), ones.to(at::kBFloat16), {}, kEps); }),
              HasSubstr("expected gamma of x's type Half or Float, got BFloat16"));
  EXPECT_THAT(message([&] { return batch_norm_training(x, {}, {}, kEps, {.addend = x}); }),
              HasSubstr("expected relu with an addend"));
  EXPECT_THAT(message([&] {
                return batch_norm_training(x, {}, {}, kEps, {.relu = true, .addend = at::randn({4, 3, 1})});
              }),
              HasSubstr("expected addend of x's sizes [4, 3, 5], got [4, 3, 1]"));
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
