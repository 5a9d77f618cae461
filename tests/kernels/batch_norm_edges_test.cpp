// The edges of batch normalization: what batch_norm.h promises beside the formulas.
#include <gtest/gtest.h>

#include "tests/kernels/forced_instruction_set.h"
#include "tests/kernels/oracle_checks.h"
#include "tests/kernels/shapes.h"

namespace bnlab::kernels {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class E>
class BatchNormEdges : public testing::Test {
 public:
  using T = Compute<E>;
  SerialTaskRunner runner;

  static double value(E element) { return static_cast<double>(element); }

  // A batch of one channel of 64 elements with mean 0, rstd 1, gamma 1 and beta 0, so that z = x.
  static BatchCase<E> neutral(Fusion fusion, Layout layout) {
    BatchCase<E> t({64, 1, 1, layout}, fusion);
    t.gamma[0] = T(1);
    t.beta[0] = T(0);
    t.mean[0] = 0;
    t.rstd[0] = 1;
    return t;
  }
};
TYPED_TEST_SUITE(BatchNormEdges, ElementTypes);

TYPED_TEST(BatchNormEdges, AbsentGammaAndBetaMeanOneAndZero) {
  BatchCase<TypeParam> given({6, 5, 7, Layout::kChannelsLast}), absent(given.shape);
  std::fill_n(given.gamma.data(), 5, Compute<TypeParam>(1));
  std::fill_n(given.beta.data(), 5, Compute<TypeParam>(0));
  std::fill_n(absent.gamma.data(), 5, Compute<TypeParam>(7));
  auto forward = absent.forward();
  forward.gamma = forward.beta = nullptr;
  auto backward = absent.backward();
  auto second = absent.second();
  backward.gamma = second.gamma = nullptr;
  run_all(given, true, this->runner);
  ASSERT_EQ(forward_training(forward, this->runner), Status::kOk);
  ASSERT_EQ(backward_training(backward, this->runner), Status::kOk);
  ASSERT_EQ(second_derivative_training(second, this->runner), Status::kOk);
  EXPECT_TRUE(absent.same_results(given));

  run_all(given, false, this->runner);
  absent.set_running_statistics();
  auto evaluation = absent.evaluation();
  evaluation.gamma = evaluation.beta = nullptr;
  ASSERT_EQ(forward_evaluation(evaluation, this->runner), Status::kOk);
  ASSERT_EQ(backward_evaluation(backward, this->runner), Status::kOk);
  ASSERT_EQ(second_derivative_evaluation(second, this->runner), Status::kOk);
  EXPECT_TRUE(absent.same_results(given));
}

TYPED_TEST(BatchNormEdges, ResultsMayReplaceInputs) {
  for (const Layout layout : kLayouts) {
    for (const bool training : {true, false}) {
      BatchCase<TypeParam> apart({12, 17, 70, layout}, Fusion::kAddRelu);
      run_all(apart, training, this->runner);
      const auto backward = training ? backward_training<TypeParam> : backward_evaluation<TypeParam>;
      const auto expect_backward = [&](auto choose) {
        BatchCase<TypeParam> t(apart);
        auto args = t.backward();
        choose(t, args);
        ASSERT_EQ(backward(args, this->runner), Status::kOk);
        EXPECT_EQ(std::memcmp(args.dx, apart.dx.data(), apart.dx.bytes()), 0);
        EXPECT_EQ(std::memcmp(args.daddend, apart.daddend.data(), apart.dx.bytes()), 0);
      };
      expect_backward([](auto& t, auto& args) { args.dx = t.dy.data(); });
      expect_backward([](auto& t, auto& args) { args.dx = t.x.data(); });
      expect_backward([](auto& t, auto& args) { args.daddend = t.dy.data(); });
      expect_backward([](auto& t, auto& args) {
        args.dx = t.x.data();
        args.daddend = t.dy.data();
      });
      const auto expect_forward = [&](auto choose) {
        BatchCase<TypeParam> t(apart);
        if (training) {
          auto args = t.forward();
          args.y = choose(t);
          ASSERT_EQ(forward_training(args, this->runner), Status::kOk);
        } else {
          auto args = t.evaluation();
          args.y = choose(t);
          ASSERT_EQ(forward_evaluation(args, this->runner), Status::kOk);
        }
        EXPECT_EQ(std::memcmp(choose(t), apart.y.data(), apart.y.bytes()), 0);
        EXPECT_TRUE(same_bits(t.mask, apart.mask));
      };
      expect_forward([](auto& t) { return t.x.data(); });
      expect_forward([](auto& t) { return t.addend.data(); });
    }
  }
}

TYPED_TEST(BatchNormEdges, AForwardPassWithoutMaskGivesTheSame) {
  BatchCase<TypeParam> with({9, 65, 5, Layout::kChannelsLast}, Fusion::kRelu), without(with);
  ASSERT_EQ(forward_training(with.forward(), this->runner), Status::kOk);
  auto args = without.forward();
  args.relu_mask = nullptr;
  ASSERT_EQ(forward_training(args, this->runner), Status::kOk);
  EXPECT_TRUE(same_bits(with.y, without.y));
}

TYPED_TEST(BatchNormEdges, ConstantChannelHasNoVarianceAndGivesBeta) {
  const auto constant = static_cast<TypeParam>(1234.1);
  for (const Layout layout : kLayouts) {
    for (const Shape& shape : {Shape{3, 5, 7, layout}, Shape{300, 5, 9, layout}, Shape{7, 3, 4100, layout},
                               Shape{7, 65, 100, layout}, Shape{600, 70, 3, layout}, Shape{1, 3, 1, layout}}) {
      SCOPED_TRACE(name_of(shape));
      BatchCase<TypeParam> t(shape);
      oracle::for_channel(t.places(), 1, [&](std::size_t i) { t.x[i] = constant; });
      ASSERT_EQ(forward_training(t.forward(), this->runner), Status::kOk);
      ASSERT_EQ(backward_training(t.backward(), this->runner), Status::kOk);
      EXPECT_EQ(t.mean[1], static_cast<double>(constant));
      EXPECT_EQ(t.var_biased[1], 0.0);
      EXPECT_EQ(t.var_biased[0] > 0, shape.count() > 1);
      const double beta = this->value(static_cast<TypeParam>(t.beta[1]));
      oracle::for_channel(t.places(), 1, [&](std::size_t i) { ASSERT_EQ(this->value(t.y[i]), beta); });
      EXPECT_EQ(t.dgamma[1], Compute<TypeParam>(0));
    }
  }
}

TYPED_TEST(BatchNormEdges, ConstantChannelWithoutEpsIsNan) {
  BatchCase<TypeParam> t({3, 2, 7, Layout::kChannelsFirst});
  oracle::for_channel(t.places(), 1, [&](std::size_t i) { t.x[i] = TypeParam(3); });
  auto args = t.forward();
  args.eps = 0;
  ASSERT_EQ(forward_training(args, this->runner), Status::kOk);
  EXPECT_EQ(t.rstd[1], kInfinity);
  oracle::for_channel(t.places(), 1, [&](std::size_t i) { EXPECT_TRUE(std::isnan(this->value(t.y[i]))); });
  oracle::for_channel(t.places(), 0, [&](std::size_t i) { EXPECT_TRUE(std::isfinite(this->value(t.y[i]))); });
}

TYPED_TEST(BatchNormEdges, NanAndInfinitiesStayInTheirChannel) {
  for (const Layout layout : kLayouts) {
    for (const Shape& shape : {Shape{5, 3, 33, layout}, Shape{300, 20, 1, layout}, Shape{9, 3, 6, layout},
                               Shape{2, 3, 5000, layout}, Shape{600, 70, 2, layout}}) {
      for (const double bad : {kNan, kInfinity, -kInfinity}) {
        for (const Fusion fusion : kFusions) {
          SCOPED_TRACE(name_of(shape) + ", " + name_of(fusion));
          BatchCase<TypeParam> clean(shape, fusion), t(shape, fusion);
          t.x[t.places().index(shape.n / 2, 1, shape.s / 2)] = static_cast<TypeParam>(bad);
          run_all(clean, true, this->runner);
          run_all(t, true, this->runner);
          EXPECT_TRUE(std::isnan(t.var_biased[1]) && std::isnan(t.rstd[1]) && !std::isfinite(t.mean[1]));
          EXPECT_TRUE(std::isnan(t.dgamma[1]));
          for (std::int64_t c = 0; c < shape.c; ++c) {
            oracle::for_channel(t.places(), c, [&](std::size_t i) {
              if (c == 1) {
                ASSERT_TRUE(std::isnan(this->value(t.y[i])) && std::isnan(this->value(t.dx[i])));
                ASSERT_TRUE(std::isnan(this->value(t.grad_x[i])) && std::isnan(this->value(t.grad_dy[i])));
              } else {
                ASSERT_EQ(this->value(t.y[i]), this->value(clean.y[i]));
                ASSERT_EQ(this->value(t.dx[i]), this->value(clean.dx[i]));
                ASSERT_EQ(this->value(t.grad_x[i]), this->value(clean.grad_x[i]));
                ASSERT_EQ(this->value(t.grad_dy[i]), this->value(clean.grad_dy[i]));
              }
            });
          }
        }
      }
    }
  }
}

TYPED_TEST(BatchNormEdges, ReluPassesNanOnAndStopsTheGradientAtZero) {
  constexpr double kDenormal = 8 * kStorage<TypeParam>.least;
  const double special[] = {kNan, 0.0, -0.0, kDenormal, -kDenormal, kInfinity, -kInfinity, 1, -1};
  for (const Layout layout : kLayouts) {
    for (const Fusion fusion : {Fusion::kRelu, Fusion::kAddRelu}) {
      auto t = this->neutral(fusion, layout);
      for (std::size_t i = 0; i < 64; ++i) {
        t.x[i] = static_cast<TypeParam>(special[i % 9]);
        if (fusion == Fusion::kAddRelu) t.addend[i] = TypeParam(-0.0);
      }
      t.beta[0] = Compute<TypeParam>(-0.0);  // keeps the sign of a zero
      ASSERT_EQ(forward_evaluation(t.evaluation(), this->runner), Status::kOk);
      ASSERT_EQ(backward_evaluation(t.backward(), this->runner), Status::kOk);
      ASSERT_EQ(second_derivative_evaluation(t.second(), this->runner), Status::kOk);
      for (std::size_t i = 0; i < 64; ++i) {
        const double x = special[i % 9], y = this->value(t.y[i]);
        const bool open = std::isnan(x) || x > 0;
        EXPECT_TRUE(std::isnan(x) ? std::isnan(y) : y == std::max(x, 0.0) && !std::signbit(y)) << x << " gives " << y;
        EXPECT_EQ(this->value(t.dx[i]), open ? this->value(t.dy[i]) : 0.0) << x;
        EXPECT_TRUE(open || this->value(t.grad_dy[i]) == 0) << x;
        EXPECT_TRUE(fusion == Fusion::kRelu || this->value(t.daddend[i]) == this->value(t.dx[i])) << x;
      }
    }
  }
}

TYPED_TEST(BatchNormEdges, ReluStopsTheGradientWhereYIsRoundedToZero) {
  for (const char* name : instruction_sets()) {
    const ForcedInstructionSet forced(name);
    auto t = this->neutral(Fusion::kRelu, Layout::kChannelsFirst);
    t.gamma[0] = Compute<TypeParam>(0.5);
    for (std::size_t i = 0; i < 64; ++i) t.x[i] = static_cast<TypeParam>(i % 2 * kStorage<TypeParam>.least);
    t.x[5] = static_cast<TypeParam>(2 * kStorage<TypeParam>.least);
    ASSERT_EQ(forward_evaluation(t.evaluation(), this->runner), Status::kOk);
    ASSERT_EQ(backward_evaluation(t.backward(), this->runner), Status::kOk);
    for (std::size_t i = 0; i < 64; ++i) {
      EXPECT_EQ(this->value(t.y[i]), i == 5 ? kStorage<TypeParam>.least : 0.0) << name;
      EXPECT_EQ(this->value(t.dx[i]) != 0, i == 5) << name;
    }
  }
}

// Denormal elements give results of their own size: nothing is flushed to 0.
TYPED_TEST(BatchNormEdges, DenormalsAreComputedWith) {
  constexpr double kSmall = 8 * kStorage<TypeParam>.least;
  for (const Layout layout : kLayouts) {
    auto t = this->neutral(Fusion::kNone, layout);
    for (std::size_t i = 0; i < 64; ++i) {
      t.x[i] = static_cast<TypeParam>(kSmall * static_cast<double>(i % 2));
      t.dy[i] = static_cast<TypeParam>(kSmall * static_cast<double>(i % 2));
    }
    ASSERT_EQ(forward_evaluation(t.evaluation(), this->runner), Status::kOk);
    ASSERT_EQ(backward_evaluation(t.backward(), this->runner), Status::kOk);
    for (std::size_t i = 0; i < 64; ++i) {
      EXPECT_EQ(this->value(t.y[i]), this->value(t.x[i]));
      EXPECT_EQ(this->value(t.dx[i]), this->value(t.dy[i]));
    }
    EXPECT_EQ(static_cast<double>(t.dbeta[0]), 32 * kSmall);
    ASSERT_EQ(forward_training(t.forward(), this->runner), Status::kOk);
    EXPECT_EQ(t.mean[0], kSmall / 2);
  }
}

TYPED_TEST(BatchNormEdges, OneElementPerChannelGivesBetaAndNoGradient) {
  for (const Layout layout : kLayouts) {
    BatchCase<TypeParam> t({1, 7, 1, layout});
    ASSERT_EQ(forward_training(t.forward(), this->runner), Status::kOk);
    ASSERT_EQ(backward_training(t.backward(), this->runner), Status::kOk);
    for (std::size_t c = 0; c < 7; ++c) {
      EXPECT_EQ(this->value(t.y[c]), this->value(static_cast<TypeParam>(t.beta[c])));
      EXPECT_EQ(t.mean[c], this->value(t.x[c]));
      EXPECT_EQ(static_cast<double>(t.dbeta[c]), this->value(t.dy[c]));
    }
    const double scale = largest(t.gamma.doubles()) * largest(t.rstd.doubles()) * largest(t.dy.doubles());
    expect_near(t.dx, std::vector<double>(7, 0.0), "dx",
                [&](std::size_t) { return precision<TypeParam>().unit * scale; });
  }
}

// Every subset of the outputs: those wanted are as among all, the others keep their values.
TYPED_TEST(BatchNormEdges, OnlyWantedGradientsAreWritten) {
  for (const Layout layout : kLayouts) {
    for (const bool training : {true, false}) {
      BatchCase<TypeParam> all({6, 5, 17, layout}, Fusion::kAddRelu);
      run_all(all, training, this->runner);
      const auto run = training ? backward_training<TypeParam> : backward_evaluation<TypeParam>;
      for (int wanted = 0; wanted < 16; ++wanted) {
        BatchCase<TypeParam> some(all);
        for (auto* element : {&some.dx, &some.daddend}) std::fill_n(element->data(), element->size(), TypeParam(77));
        for (auto* sum : {&some.dgamma, &some.dbeta}) std::fill_n(sum->data(), 5, Compute<TypeParam>(77));
        const BatchCase<TypeParam> before(some);
        auto args = some.backward();
        if (!(wanted & 1)) args.dx = nullptr;
        if (!(wanted & 2)) args.dgamma = nullptr;
        if (!(wanted & 4)) args.dbeta = nullptr;
        if (!(wanted & 8)) args.daddend = nullptr;
        if (!training && !args.dgamma) args.x = nullptr;
        ASSERT_EQ(run(args, this->runner), Status::kOk);
        EXPECT_TRUE(same_bits(some.dx, args.dx ? all.dx : before.dx)) << wanted;
        EXPECT_TRUE(same_bits(some.dgamma, args.dgamma ? all.dgamma : before.dgamma)) << wanted;
        EXPECT_TRUE(same_bits(some.dbeta, args.dbeta ? all.dbeta : before.dbeta)) << wanted;
        EXPECT_TRUE(same_bits(some.daddend, args.daddend ? all.daddend : before.daddend)) << wanted;
      }
    }
  }
}

TYPED_TEST(BatchNormEdges, EmptyBatches) {
  for (const Shape& shape : {Shape{0, 3, 5, Layout::kChannelsLast}, Shape{4, 3, 0, Layout::kChannelsFirst}}) {
    BatchCase<TypeParam> t(shape);
    t.dgamma[0] = t.dbeta[2] = t.grad_gamma[1] = 7;
    EXPECT_EQ(forward_training(t.forward(), this->runner), Status::kEmptyBatch);
    EXPECT_EQ(backward_training(t.backward(), this->runner), Status::kEmptyBatch);
    EXPECT_EQ(second_derivative_training(t.second(), this->runner), Status::kEmptyBatch);
    EXPECT_EQ(forward_evaluation(t.evaluation(), this->runner), Status::kOk);
    EXPECT_EQ(backward_evaluation(t.backward(), this->runner), Status::kOk);
    EXPECT_EQ(second_derivative_evaluation(t.second(), this->runner), Status::kOk);
    EXPECT_EQ(largest(t.dgamma.doubles()) + largest(t.dbeta.doubles()) + largest(t.grad_gamma.doubles()), 0);
  }
  BatchCase<TypeParam> no_channels({4, 0, 5, Layout::kChannelsFirst});
  run_all(no_channels, true, this->runner);
  run_all(no_channels, false, this->runner);
}

TYPED_TEST(BatchNormEdges, BadArgumentsAreErrors) {
  BatchCase<TypeParam> t({4, 2, 5, Layout::kChannelsFirst});
  for (const double eps : {-1e-5, kInfinity, kNan}) {
    auto args = t.forward();
    args.eps = eps;
    EXPECT_EQ(forward_training(args, this->runner), Status::kBadEps);
  }
  for (const auto size : {&Shape::n, &Shape::c, &Shape::s}) {
    const auto bad = [&](auto args) {
      args.shape.*size = -1;
      return args;
    };
    EXPECT_EQ(forward_training(bad(t.forward()), this->runner), Status::kBadShape);
    EXPECT_EQ(forward_evaluation(bad(t.evaluation()), this->runner), Status::kBadShape);
    EXPECT_EQ(backward_training(bad(t.backward()), this->runner), Status::kBadShape);
    EXPECT_EQ(backward_evaluation(bad(t.backward()), this->runner), Status::kBadShape);
    EXPECT_EQ(second_derivative_training(bad(t.second()), this->runner), Status::kBadShape);
    EXPECT_EQ(second_derivative_evaluation(bad(t.second()), this->runner), Status::kBadShape);
    EXPECT_EQ(relu_mask_bytes(bad(t.forward()).shape), 0U);
  }
}

}  // namespace
}  // namespace bnlab::kernels
