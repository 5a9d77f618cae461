// The kernels against the oracle, and their edge cases.
#include "bnlab/kernels/batch_norm.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/kernels/batch_case.h"
#include "tests/kernels/thread_runner.h"

namespace bnlab::kernels {
namespace {

constexpr Layout kLayouts[] = {Layout::kChannelsFirst, Layout::kChannelsLast};

// Lengths around vectors and blocks, odd channels, few and many rows, and enough elements for several tasks.
std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (const Layout layout : kLayouts) {
    for (const std::int64_t c : {1, 3, 15, 16, 17, 64, 65, 300}) {
      for (const std::int64_t s : {1, 2, 7, 16, 17, 63, 64, 65}) {
        all.push_back({2, c, s, layout});
        if (s < 20) all.push_back({9, c, s, layout});
      }
    }
    for (const std::int64_t n : {127, 128, 129, 255, 257}) all.push_back({n, 5, 3, layout});
    for (const std::int64_t s : {4095, 4096, 4097, 9000}) all.push_back({3, 3, s, layout});
    all.push_back({1, 2, 2, layout});
    all.push_back({700, 64, 49, layout});
    all.push_back({3000, 65, 1, layout});
    all.push_back({40, 3, 1024, layout});
    all.push_back({300, 600, 1, layout});
    all.push_back({33, 100, 400, layout});  // larger than the caches' share: strictly in order
  }
  return all;
}

template <class T>
class BatchNormKernels : public testing::Test {
 public:
  static constexpr double kUlp = std::numeric_limits<T>::epsilon();
  SerialTaskRunner runner;

  // Rounding of y = (x - mean)*scale + offset, and of what was summed before.
  static void expect_forward(const BatchCase<T>& t, const oracle::Statistics& statistics, double ulps) {
    const auto gamma = t.gamma.doubles(), beta = t.beta.doubles();
    const auto expected = oracle::forward(t.batch(), statistics, gamma, beta);
    const double scale = std::max({1.0, largest(expected), largest(beta)});
    expect_near(t.y, expected, "y", [&](std::size_t) { return ulps * kUlp * scale; });
  }

  static void expect_backward(const BatchCase<T>& t, const oracle::Gradients& expected) {
    const double count = static_cast<double>(t.shape.count());
    const double most_dx = std::max(largest(expected.dx), largest(t.gamma.doubles()) * largest(t.rstd.doubles()));
    // xhat and dy are of order one.
    expect_near(t.dx, expected.dx, "dx", [&](std::size_t) { return 16 * kUlp * most_dx; });
    expect_near(t.dgamma, expected.dgamma, "dgamma", [&](std::size_t) { return 4 * kUlp * count; });
    expect_near(t.dbeta, expected.dbeta, "dbeta", [&](std::size_t) { return 4 * kUlp * count; });
  }
};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(BatchNormKernels, Types);

TYPED_TEST(BatchNormKernels, TrainingAgreesWithOracle) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(name_of(shape));
    BatchCase<TypeParam> t(shape);
    ASSERT_EQ(forward_training(t.forward(), this->runner), Status::kOk);
    ASSERT_EQ(backward_training(t.backward(), this->runner), Status::kOk);
    const auto expected = oracle::statistics(t.batch(), kEps);
    const double tolerance = 8 * TestFixture::kUlp;
    expect_near(t.mean, expected.mean, "mean", [&](std::size_t c) { return tolerance / expected.rstd[c]; });
    expect_near(t.var_biased, expected.var_biased, "var_biased",
                [&](std::size_t c) { return tolerance * expected.var_biased[c]; });
    expect_near(t.rstd, expected.rstd, "rstd", [&](std::size_t c) { return tolerance * expected.rstd[c]; });
    TestFixture::expect_forward(t, expected, 4);
    TestFixture::expect_backward(t, oracle::backward(t.batch(), t.dy.doubles(), expected, t.gamma.doubles(), true));
    ASSERT_TRUE(t.guarded());
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(BatchNormKernels, EvaluationAgreesWithOracle) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(name_of(shape));
    BatchCase<TypeParam> t(shape);
    oracle::Statistics running;
    for (std::int64_t c = 0; c < shape.c; ++c) {
      const auto i = static_cast<std::size_t>(c);
      running.mean.push_back(t.mean[i] = 0.1 + 0.01 * static_cast<double>(c % 10));
      running.rstd.push_back(t.rstd[i] = 1 / (1 + 0.1 * static_cast<double>(c % 7)));
    }
    ASSERT_EQ(forward_evaluation(t.evaluation(), this->runner), Status::kOk);
    ASSERT_EQ(backward_evaluation(t.backward(), this->runner), Status::kOk);
    TestFixture::expect_forward(t, running, 4);
    auto expected = oracle::backward(t.batch(), t.dy.doubles(), running, t.gamma.doubles(), false);
    const double size = std::max(1.0, largest(t.x.doubles()));
    expect_near(t.dx, expected.dx, "dx", [&](std::size_t i) { return 4 * this->kUlp * std::abs(expected.dx[i]); });
    const double count = static_cast<double>(shape.count());
    expect_near(t.dgamma, expected.dgamma, "dgamma", [&](std::size_t) { return 4 * this->kUlp * count * size; });
    expect_near(t.dbeta, expected.dbeta, "dbeta", [&](std::size_t) { return 4 * this->kUlp * count; });
    ASSERT_TRUE(t.guarded());
    if (this->HasFatalFailure()) return;
  }
}

// Without affine, at a large mean: y to a few units in the last place, and gradients as if the mean were small.
TYPED_TEST(BatchNormKernels, LargeMeanWithSmallVarianceStaysExact) {
  for (const Layout layout : kLayouts) {
    for (const Shape& shape : {Shape{64, 65, 49, layout}, Shape{40, 3, 1024, layout}, Shape{512, 64, 1, layout}}) {
      for (const double mean_over_std : {1e2, 1e4, 1e5}) {
        SCOPED_TRACE(name_of(shape) + " mean/std " + std::to_string(mean_over_std));
        BatchCase<TypeParam> t(shape, mean_over_std);
        std::fill_n(t.gamma.data(), shape.c, TypeParam(1));
        std::fill_n(t.beta.data(), shape.c, TypeParam(0));
        ASSERT_EQ(forward_training(t.forward(), this->runner), Status::kOk);
        ASSERT_EQ(backward_training(t.backward(), this->runner), Status::kOk);
        const auto statistics = oracle::statistics(t.batch(), kEps);
        // The mean is a double: its own rounding shows only for T = double.
        const double ulps = 3 + (sizeof(TypeParam) == 8 ? 4 * mean_over_std : 0);
        const auto expected = oracle::forward(t.batch(), statistics, t.gamma.doubles(), t.beta.doubles());
        expect_near(t.y, expected, "y",
                    [&](std::size_t i) { return ulps * TestFixture::kUlp * std::max(1.0, std::abs(expected[i])); });
        const auto gradients = oracle::backward(t.batch(), t.dy.doubles(), statistics, t.gamma.doubles(), true);
        const double count = static_cast<double>(shape.count());
        const double dx_bound = ulps * TestFixture::kUlp * largest(gradients.dx);
        expect_near(t.dx, gradients.dx, "dx", [&](std::size_t) { return dx_bound; });
        expect_near(t.dgamma, gradients.dgamma, "dgamma",
                    [&](std::size_t) { return ulps * TestFixture::kUlp * count; });
        if (this->HasFatalFailure()) return;
      }
    }
  }
}

TYPED_TEST(BatchNormKernels, AbsentGammaAndBetaMeanOneAndZero) {
  BatchCase<TypeParam> given({6, 5, 7, Layout::kChannelsLast}), absent(given.shape);
  std::fill_n(given.gamma.data(), 5, TypeParam(1));
  std::fill_n(given.beta.data(), 5, TypeParam(0));
  auto forward = absent.forward();
  forward.gamma = forward.beta = nullptr;
  auto backward = absent.backward();
  backward.gamma = nullptr;
  ASSERT_EQ(forward_training(given.forward(), this->runner), Status::kOk);
  ASSERT_EQ(forward_training(forward, this->runner), Status::kOk);
  ASSERT_EQ(backward_training(given.backward(), this->runner), Status::kOk);
  ASSERT_EQ(backward_training(backward, this->runner), Status::kOk);
  EXPECT_EQ(given.y.doubles(), absent.y.doubles());
  EXPECT_EQ(given.dx.doubles(), absent.dx.doubles());
  EXPECT_GT(largest(given.dx.doubles()), 0);
}

TYPED_TEST(BatchNormKernels, ResultsAreBitwiseTheSameForAnyThreads) {
  for (const Layout layout : kLayouts) {
    for (const Shape& shape : {Shape{700, 64, 49, layout}, Shape{40, 3, 1024, layout}, Shape{3000, 65, 1, layout}}) {
      SCOPED_TRACE(name_of(shape));
      BatchCase<TypeParam> serial(shape);
      ASSERT_EQ(forward_training(serial.forward(), this->runner), Status::kOk);
      ASSERT_EQ(backward_training(serial.backward(), this->runner), Status::kOk);
      for (int threads = 1; threads <= 4; ++threads) {
        ThreadRunner pool(threads);
        BatchCase<TypeParam> t(shape);
        ASSERT_EQ(forward_training(t.forward(), pool), Status::kOk);
        ASSERT_EQ(backward_training(t.backward(), pool), Status::kOk);
        EXPECT_GT(pool.most_tasks(), 3);
        const auto same = [](const auto& a, const auto& b) {
          return std::memcmp(a.data(), b.data(), a.size() * sizeof(a[0])) == 0;
        };
        EXPECT_TRUE(same(t.mean, serial.mean));
        EXPECT_TRUE(same(t.var_biased, serial.var_biased));
        EXPECT_TRUE(same(t.y, serial.y));
        EXPECT_TRUE(same(t.dx, serial.dx));
        EXPECT_TRUE(same(t.dgamma, serial.dgamma));
        EXPECT_TRUE(same(t.dbeta, serial.dbeta));
      }
    }
  }
}

TYPED_TEST(BatchNormKernels, InPlaceGivesTheSame) {
  for (const Layout layout : kLayouts) {
    BatchCase<TypeParam> apart({12, 17, 70, layout}), in_place(apart.shape);
    ASSERT_EQ(forward_training(apart.forward(), this->runner), Status::kOk);
    ASSERT_EQ(backward_training(apart.backward(), this->runner), Status::kOk);
    in_place.mean = apart.mean;
    in_place.rstd = apart.rstd;
    auto backward = in_place.backward();
    backward.dx = in_place.dy.data();
    ASSERT_EQ(backward_training(backward, this->runner), Status::kOk);
    auto forward = in_place.forward();
    forward.y = in_place.x.data();
    ASSERT_EQ(forward_training(forward, this->runner), Status::kOk);
    EXPECT_EQ(in_place.x.doubles(), apart.y.doubles());
    EXPECT_EQ(in_place.dy.doubles(), apart.dx.doubles());
  }
}

TYPED_TEST(BatchNormKernels, ConstantChannelHasNoVarianceAndGivesBeta) {
  const auto constant = static_cast<TypeParam>(1234.1);
  for (const Layout layout : kLayouts) {
    for (const Shape& shape : {Shape{3, 5, 7, layout}, Shape{300, 5, 9, layout}, Shape{7, 3, 4100, layout}}) {
      SCOPED_TRACE(name_of(shape));
      BatchCase<TypeParam> t(shape);
      oracle::for_channel(t.batch(), 1, [&](std::size_t i) { t.x[i] = constant; });
      ASSERT_EQ(forward_training(t.forward(), this->runner), Status::kOk);
      ASSERT_EQ(backward_training(t.backward(), this->runner), Status::kOk);
      EXPECT_EQ(t.mean[1], static_cast<double>(constant));
      EXPECT_EQ(t.var_biased[1], 0.0);
      EXPECT_GT(t.var_biased[0], 0.0);
      oracle::for_channel(t.batch(), 1, [&](std::size_t i) { ASSERT_EQ(t.y[i], t.beta[1]); });
      EXPECT_EQ(t.dgamma[1], TypeParam(0));
    }
  }
}

TYPED_TEST(BatchNormKernels, NanStaysInItsChannel) {
  for (const Layout layout : kLayouts) {
    for (const Shape& shape : {Shape{5, 3, 33, layout}, Shape{300, 20, 1, layout}, Shape{9, 3, 6, layout}}) {
      for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        SCOPED_TRACE(name_of(shape));
        BatchCase<TypeParam> clean(shape), t(shape);
        t.x[t.batch().index(shape.n / 2, 1, shape.s / 2)] = static_cast<TypeParam>(bad);
        for (BatchCase<TypeParam>* each : {&clean, &t}) {
          ASSERT_EQ(forward_training(each->forward(), this->runner), Status::kOk);
          ASSERT_EQ(backward_training(each->backward(), this->runner), Status::kOk);
        }
        for (std::int64_t c = 0; c < shape.c; ++c) {
          oracle::for_channel(t.batch(), c, [&](std::size_t i) {
            if (c == 1) {
              ASSERT_TRUE(std::isnan(t.y[i]) && std::isnan(t.dx[i]));
            } else {
              ASSERT_EQ(t.y[i], clean.y[i]);
              ASSERT_EQ(t.dx[i], clean.dx[i]);
            }
          });
        }
      }
    }
  }
}

TYPED_TEST(BatchNormKernels, OneElementPerChannelGivesBetaAndNoGradient) {
  BatchCase<TypeParam> t({1, 7, 1, Layout::kChannelsFirst});
  ASSERT_EQ(forward_training(t.forward(), this->runner), Status::kOk);
  ASSERT_EQ(backward_training(t.backward(), this->runner), Status::kOk);
  EXPECT_EQ(t.y.doubles(), t.beta.doubles());
  const double scale = largest(t.gamma.doubles()) * largest(t.rstd.doubles()) * largest(t.dy.doubles());
  expect_near(t.dx, std::vector<double>(7, 0.0), "dx", [&](std::size_t) { return TestFixture::kUlp * scale; });
  EXPECT_EQ(t.dbeta.doubles(), t.dy.doubles());
}

TYPED_TEST(BatchNormKernels, OnlyWantedGradientsAreWritten) {
  for (const bool training : {true, false}) {
    BatchCase<TypeParam> all({6, 5, 7, Layout::kChannelsLast}), some(all.shape);
    ASSERT_EQ(forward_training(all.forward(), this->runner), Status::kOk);
    some.mean = all.mean;
    some.rstd = all.rstd;
    const auto run = training ? backward_training<TypeParam> : backward_evaluation<TypeParam>;
    ASSERT_EQ(run(all.backward(), this->runner), Status::kOk);
    for (int wanted = 0; wanted < 3; ++wanted) {
      auto args = some.backward();
      if (wanted != 0) args.dx = nullptr;
      if (wanted != 1) args.dgamma = nullptr;
      if (wanted != 2) args.dbeta = nullptr;
      if (!training && wanted != 1) args.x = nullptr;
      ASSERT_EQ(run(args, this->runner), Status::kOk);
      const auto expect = [&](const auto& got, const auto& whole, bool is_wanted) {
        EXPECT_EQ(got.doubles(), is_wanted ? whole.doubles() : std::vector<double>(whole.size(), 0.0));
      };
      expect(some.dx, all.dx, wanted >= 0);
      expect(some.dgamma, all.dgamma, wanted >= 1);
      expect(some.dbeta, all.dbeta, wanted >= 2);
    }
  }
}

TYPED_TEST(BatchNormKernels, EmptyBatchesAndBadArguments) {
  BatchCase<TypeParam> empty({0, 3, 5, Layout::kChannelsLast});
  EXPECT_EQ(forward_training(empty.forward(), this->runner), Status::kEmptyBatch);
  EXPECT_EQ(backward_training(empty.backward(), this->runner), Status::kEmptyBatch);
  EXPECT_EQ(forward_evaluation(empty.evaluation(), this->runner), Status::kOk);
  empty.dgamma[0] = empty.dbeta[2] = 7;
  EXPECT_EQ(backward_evaluation(empty.backward(), this->runner), Status::kOk);
  EXPECT_EQ(empty.dgamma.doubles(), std::vector<double>(3, 0.0));
  EXPECT_EQ(empty.dbeta.doubles(), std::vector<double>(3, 0.0));

  BatchCase<TypeParam> no_channels({4, 0, 5, Layout::kChannelsFirst});
  EXPECT_EQ(forward_training(no_channels.forward(), this->runner), Status::kOk);
  EXPECT_EQ(backward_training(no_channels.backward(), this->runner), Status::kOk);

  BatchCase<TypeParam> t({4, 2, 5, Layout::kChannelsFirst});
  for (const double eps : {-1e-5, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    auto args = t.forward();
    args.eps = eps;
    EXPECT_EQ(forward_training(args, this->runner), Status::kBadEps);
  }
  auto args = t.forward();
  args.shape.s = -1;
  EXPECT_EQ(forward_training(args, this->runner), Status::kBadShape);
}

}  // namespace
}  // namespace bnlab::kernels
