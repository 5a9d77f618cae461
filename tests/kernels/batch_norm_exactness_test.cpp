// How exact the kernels are: data whose results have no rounding, the promised bound at large means, and properties.
#include <gtest/gtest.h>

#include "tests/kernels/forced_instruction_set.h"
#include "tests/kernels/oracle_checks.h"
#include "tests/kernels/thread_runner.h"

namespace bnlab::kernels {
namespace {

// Sizes are powers of two, but for the channels: every mean and variance, of all elements and of parts, is a dyadic
// number with few digits.
std::vector<Shape> dyadic_shapes() {
  std::vector<Shape> all;
  for (const Layout layout : kLayouts) {
    for (const Shape& shape : {Shape{2, 3, 2}, Shape{8, 5, 4}, Shape{64, 3, 256}, Shape{128, 65, 4}, Shape{1024, 16, 8},
                               Shape{2, 7, 8192}, Shape{16, 9, 64}, Shape{4096, 3, 1}, Shape{32, 100, 1}}) {
      all.push_back({shape.n, shape.c, shape.s, layout});
    }
  }
  return all;
}

template <class E>
class BatchNormExactness : public testing::Test {
 public:
  using T = Compute<E>;

  // x = c + 1 -+ 2, so mean = c + 1, var_biased = 4, rstd = 1/2 with eps = 0, xhat = -+1. gamma, beta, dy and ddx are
  // small integers.
  static BatchCase<E> exact_case(const Shape& shape, Fusion fusion) {
    BatchCase<E> t(shape, fusion);
    for (std::int64_t c = 0; c < shape.c; ++c) {
      const auto k = static_cast<std::size_t>(c);
      t.gamma[k] = static_cast<T>(c % 3 + 1);
      t.beta[k] = static_cast<T>(c % 5 - 2);
      for (std::int64_t n = 0; n < shape.n; ++n) {
        for (std::int64_t s = 0; s < shape.s; ++s) {
          const std::size_t i = t.places().index(n, c, s);
          t.x[i] = static_cast<E>(static_cast<float>(c + 1) + 2 * balanced_sign(n, s));
          t.dy[i] = static_cast<E>(static_cast<float>((3 * n + 5 * s + c) % 8 - 3));
          if (fusion == Fusion::kAddRelu) t.addend[i] = static_cast<E>(static_cast<float>((n + s) % 4 - 2));
        }
      }
    }
    return t;
  }

  static double rounded(double value) { return static_cast<double>(static_cast<E>(value)); }
};
TYPED_TEST_SUITE(BatchNormExactness, ElementTypes);

TYPED_TEST(BatchNormExactness, SmallIntegersGiveExactResults) {
  using E = TypeParam;
  for (const char* name : instruction_sets()) {
    const ForcedInstructionSet forced(name);
    for (const Shape& shape : dyadic_shapes()) {
      for (const Fusion fusion : kFusions) {
        SCOPED_TRACE(std::string(name) + ", " + name_of(shape) + ", " + name_of(fusion));
        auto t = this->exact_case(shape, fusion);
        ThreadRunner runner(2);
        auto forward = t.forward();
        forward.eps = 0;
        ASSERT_EQ(forward_training(forward, runner), Status::kOk);
        ASSERT_EQ(backward_training(t.backward(), runner), Status::kOk);
        const auto gamma = t.gamma.doubles(), beta = t.beta.doubles(), addend = t.addend.doubles();
        for (std::size_t c = 0; c < gamma.size(); ++c) {
          ASSERT_EQ(t.mean[c], static_cast<double>(c + 1));
          ASSERT_EQ(t.var_biased[c], 4);
          ASSERT_EQ(t.rstd[c], 0.5);
        }
        auto y = oracle::forward(t.batch(), t.statistics(), gamma, beta);
        for (std::size_t i = 0; i < addend.size(); ++i) y[i] += addend[i];
        if (fusion != Fusion::kNone) y = oracle::relu(y);
        const auto dz = where(open_places(t), t.dy.doubles());
        const auto expected = oracle::backward(t.batch(), dz, t.statistics(), gamma, true);
        ASSERT_EQ(t.dgamma.doubles(), expected.dgamma);
        ASSERT_EQ(t.dbeta.doubles(), expected.dbeta);
        for (std::size_t i = 0; i < y.size(); ++i) {
          ASSERT_EQ(static_cast<double>(t.y[i]), y[i]) << "y[" << i << "]";
          ASSERT_EQ(static_cast<double>(t.dx[i]), this->rounded(expected.dx[i])) << "dx[" << i << "]";
        }
        if constexpr (std::is_same_v<E, double>) {
          ASSERT_TRUE(t.dx.doubles() == expected.dx);
        }
      }
    }
  }
}

// Half of what the documentation allows: |y - y_ideal| <= 2 ulp of m = max(1, |gamma*xhat|, |beta|), an ulp of m being
// 2^-23*m, at mean/std <= 1e4 and in both layouts, against statistics computed in long double. Without fused
// multiply-add the product has a rounding of its own: 3 ulp.
TEST(BatchNormExactnessOfFloat, WithinTwoUlpAtLargeMeans) {
  SerialTaskRunner runner;
  for (const char* name : instruction_sets()) {
    const ForcedInstructionSet forced(name);
    const double allowed = has_fma(name) ? 2 : 3;
    for (const Layout layout : kLayouts) {
      for (const Shape& shape :
           {Shape{64, 65, 49, layout}, Shape{40, 3, 1024, layout}, Shape{512, 64, 1, layout}, Shape{16, 32, 64, layout},
            Shape{4000, 17, 1, layout}, Shape{2, 5, 9000, layout}, Shape{200, 9, 79, layout}}) {
        for (const double mean_over_std : {0.0, 1.0, 1e2, 1e3, 1e4}) {
          SCOPED_TRACE(std::string(name) + ", " + name_of(shape) + ", mean/std " + std::to_string(mean_over_std));
          BatchCase<float> t(shape, Fusion::kNone, mean_over_std);
          ASSERT_EQ(forward_training(t.forward(), runner), Status::kOk);
          const auto ideal = oracle::statistics(t.batch(), kEps);
          const auto gamma = t.gamma.doubles(), beta = t.beta.doubles();
          const auto expected = oracle::forward(t.batch(), ideal, gamma, beta);
          double worst = 0;
          for (std::int64_t c = 0; c < shape.c; ++c) {
            const auto k = static_cast<std::size_t>(c);
            oracle::for_channel(t.places(), c, [&](std::size_t i) {
              const double size = std::max({1.0, std::abs(expected[i] - beta[k]), std::abs(beta[k])});
              const double error = std::abs(double{t.y[i]} - expected[i]) / (size * 0x1p-23);
              worst = error <= worst ? worst : error;
            });
          }
          EXPECT_TRUE(worst <= allowed) << worst << " ulp";
        }
      }
    }
  }
}

template <class E>
void check_large_means() {
  SerialTaskRunner runner;
  for (const Layout layout : kLayouts) {
    for (const Shape& shape : {Shape{64, 65, 49, layout}, Shape{40, 3, 1024, layout}, Shape{512, 64, 1, layout}}) {
      for (const double mean_over_std : {1e2, 1e4, 1e5}) {
        SCOPED_TRACE(name_of(shape) + ", mean/std " + std::to_string(mean_over_std));
        BatchCase<E> t(shape, Fusion::kNone, mean_over_std);
        run_all(t, true, runner);
        check_all(t, true);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

// Statistics and gradients at a large mean are as good as at a small one. Types of 16 bits have too few digits for such
// data.
TEST(BatchNormExactnessOfFloat, LargeMeanWithSmallVarianceStaysExact) {
  check_large_means<float>();
}

TEST(BatchNormExactnessOfDouble, LargeMeanWithSmallVarianceStaysExact) {
  check_large_means<double>();
}

// BN(a*x + b; a^2*eps) = BN(x; eps) for a > 0: here exactly, as a is a power of two and a*x + b has no rounding.
TYPED_TEST(BatchNormExactness, ScaleAndShiftOfTheInputDoNotShow) {
  for (const Layout layout : kLayouts) {
    for (const Shape& shape : {Shape{9, 65, 5, layout}, Shape{4, 3, 2000, layout}, Shape{700, 3, 7, layout}}) {
      SCOPED_TRACE(name_of(shape));
      SerialTaskRunner runner;
      BatchCase<TypeParam> t(shape);
      for (std::size_t i = 0; i < t.x.size(); ++i) {
        t.x[i] = static_cast<TypeParam>(std::round(16 * std::tanh(static_cast<double>(t.x[i]))) / 8);
      }
      BatchCase<TypeParam> moved(t);
      for (std::size_t i = 0; i < t.x.size(); ++i) {
        moved.x[i] = static_cast<TypeParam>(4 * static_cast<double>(t.x[i]) - 3);
      }
      ASSERT_EQ(forward_training(t.forward(), runner), Status::kOk);
      auto args = moved.forward();
      args.eps = 16 * kEps;
      ASSERT_EQ(forward_training(args, runner), Status::kOk);
      const double size = largest(t.y.doubles());
      expect_near(moved.y, t.y.doubles(), "y", [&](std::size_t) { return 8 * precision<TypeParam>().unit * size; });
      for (std::size_t c = 0; c < t.mean.size(); ++c) {
        ASSERT_TRUE(std::abs(moved.mean[c] - (4 * t.mean[c] - 3)) <= 1e-5);
      }
    }
  }
}

// Per channel, sum(dx) = 0 and sum(dx*xhat) = gamma*rstd*sum(dz*xhat)*eps*rstd^2, which is 0 for eps = 0.
TYPED_TEST(BatchNormExactness, DxSumsToZeroAndIsOrthogonalToXhat) {
  SerialTaskRunner runner;
  for (const Layout layout : kLayouts) {
    for (const Shape& shape : {Shape{9, 65, 5, layout}, Shape{4, 3, 2000, layout}, Shape{700, 3, 7, layout}}) {
      for (const Fusion fusion : kFusions) {
        SCOPED_TRACE(name_of(shape) + ", " + name_of(fusion));
        BatchCase<TypeParam> t(shape, fusion);
        auto forward = t.forward();
        forward.eps = 0;
        ASSERT_EQ(forward_training(forward, runner), Status::kOk);
        ASSERT_EQ(backward_training(t.backward(), runner), Status::kOk);
        constexpr double unit = kStorage<TypeParam>.unit;
        double most = 0;
        for (std::int64_t c = 0; c < shape.c; ++c) {
          const auto k = static_cast<std::size_t>(c);
          double sum = 0, product = 0, size = 0, product_size = 0;
          oracle::for_channel(t.places(), c, [&](std::size_t i) {
            const double dx = static_cast<double>(t.dx[i]);
            const double xhat = (static_cast<double>(t.x[i]) - t.mean[k]) * t.rstd[k];
            sum += dx;
            product += dx * xhat;
            size += std::abs(dx) * 8 * unit;
            product_size += std::abs(dx * xhat) * 8 * unit;
          });
          most = std::max(most, size);
          ASSERT_TRUE(std::abs(sum) <= size) << sum << " of " << size;
          ASSERT_TRUE(std::abs(product) <= product_size) << product << " of " << product_size;
        }
        ASSERT_GT(most, 0);
      }
    }
  }
}

}  // namespace
}  // namespace bnlab::kernels
