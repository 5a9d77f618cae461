// What second derivatives promise beside agreeing with the oracle, which batch_norm_test.cpp looks at.
#include <gtest/gtest.h>

#include "tests/kernels/oracle_checks.h"

namespace bnlab::kernels {
namespace {

template <class E>
class SecondDerivativeKernels : public testing::Test {
 public:
  SerialTaskRunner runner;

  [[nodiscard]] Status run(const SecondDerivative<E>& args, bool training) {
    return training ? second_derivative_training(args, runner) : second_derivative_evaluation(args, runner);
  }
};
TYPED_TEST_SUITE(SecondDerivativeKernels, ElementTypes);

// Absent cotangents are 0: every subset gives the bits that zeros give.
TYPED_TEST(SecondDerivativeKernels, AbsentCotangentsAreZero) {
  for (const bool training : {true, false}) {
    BatchCase<TypeParam> whole({6, 5, 17, Layout::kChannelsFirst}, Fusion::kAddRelu);
    run_all(whole, training, this->runner);
    for (int given = 0; given < 16; ++given) {
      SCOPED_TRACE(given);
      BatchCase<TypeParam> zeros(whole), absent(whole);
      auto args = absent.second();
      const auto leave_out = [](auto& argument, auto& values) {
        std::fill_n(values.data(), values.size(), std::remove_cvref_t<decltype(values[0])>());
        argument = nullptr;
      };
      if (!(given & 1)) leave_out(args.ddx, zeros.ddx);
      if (!(given & 2)) leave_out(args.ddgamma, zeros.ddgamma);
      if (!(given & 4)) leave_out(args.ddbeta, zeros.ddbeta);
      if (!(given & 8)) leave_out(args.ddaddend, zeros.ddaddend);
      ASSERT_EQ(this->run(zeros.second(), training), Status::kOk);
      ASSERT_EQ(this->run(args, training), Status::kOk);
      check_second_derivative(zeros, training);
      EXPECT_EQ(absent.grad_x.doubles(), zeros.grad_x.doubles());
      EXPECT_EQ(absent.grad_dy.doubles(), zeros.grad_dy.doubles());
      EXPECT_EQ(absent.grad_gamma.doubles(), zeros.grad_gamma.doubles());
    }
  }
}

TYPED_TEST(SecondDerivativeKernels, OnlyWantedResultsAreWritten) {
  for (const Layout layout : kLayouts) {
    for (const bool training : {true, false}) {
      BatchCase<TypeParam> all({40, 5, 17, layout}, Fusion::kRelu);
      run_all(all, training, this->runner);
      for (int wanted = 0; wanted < 8; ++wanted) {
        BatchCase<TypeParam> some(all);
        for (auto* element : {&some.grad_x, &some.grad_dy}) {
          std::fill_n(element->data(), element->size(), TypeParam(77));
        }
        std::fill_n(some.grad_gamma.data(), 5, Compute<TypeParam>(77));
        const BatchCase<TypeParam> before(some);
        auto args = some.second();
        if (!(wanted & 1)) args.grad_x = nullptr;
        if (!(wanted & 2)) args.grad_dy = nullptr;
        if (!(wanted & 4)) args.grad_gamma = nullptr;
        ASSERT_EQ(this->run(args, training), Status::kOk);
        EXPECT_TRUE(same_bits(some.grad_x, args.grad_x ? all.grad_x : before.grad_x)) << wanted;
        EXPECT_TRUE(same_bits(some.grad_dy, args.grad_dy ? all.grad_dy : before.grad_dy)) << wanted;
        EXPECT_TRUE(same_bits(some.grad_gamma, args.grad_gamma ? all.grad_gamma : before.grad_gamma)) << wanted;
      }
    }
  }
}

// Small integers and counts: every mean, product and coefficient is a dyadic number that a float holds.
TYPED_TEST(SecondDerivativeKernels, SmallIntegersGiveExactResults) {
  using E = TypeParam;
  for (const Layout layout : kLayouts) {
    for (const Shape& shape : {Shape{2, 3, 8, layout}, Shape{16, 70, 1, layout}, Shape{1, 70, 16, layout}}) {
      SCOPED_TRACE(name_of(shape));
      BatchCase<E> t(shape);
      for (std::int64_t c = 0; c < shape.c; ++c) {
        const auto k = static_cast<std::size_t>(c);
        t.gamma[k] = static_cast<Compute<E>>(c % 3 + 1);
        t.ddgamma[k] = static_cast<Compute<E>>(c % 4 - 2);
        t.ddbeta[k] = static_cast<Compute<E>>(c % 5 - 1);
        for (std::int64_t n = 0; n < shape.n; ++n) {
          for (std::int64_t s = 0; s < shape.s; ++s) {
            const std::size_t i = t.places().index(n, c, s);
            t.x[i] = static_cast<E>(static_cast<float>(c) + 2 * balanced_sign(n, s));
            t.dy[i] = static_cast<E>(static_cast<float>((3 * n + s + c) % 5 - 1));
            t.ddx[i] = static_cast<E>(static_cast<float>((n + 7 * s + c) % 6 - 2));
          }
        }
      }
      auto forward = t.forward();
      forward.eps = 0;
      ASSERT_EQ(forward_training(forward, this->runner), Status::kOk);
      ASSERT_EQ(second_derivative_training(t.second(), this->runner), Status::kOk);
      const auto expected =
          oracle::second_derivative(t.batch(), t.dy.doubles(), t.statistics(), t.gamma.doubles(), t.cotangents(), true);
      ASSERT_EQ(t.grad_gamma.doubles(), expected.grad_gamma);
      for (std::size_t i = 0; i < t.x.size(); ++i) {
        ASSERT_EQ(static_cast<double>(t.grad_x[i]), static_cast<double>(static_cast<E>(expected.grad_x[i]))) << i;
        ASSERT_EQ(static_cast<double>(t.grad_dy[i]), static_cast<double>(static_cast<E>(expected.grad_dz[i]))) << i;
      }
    }
  }
}

// Along one direction u of x, dy and gamma, the second derivative is the central difference of the first one's value.
TEST(SecondDerivativeOfDouble, IsTheDifferenceOfBackward) {
  SerialTaskRunner runner;
  for (const bool training : {true, false}) {
    for (const Layout layout : kLayouts) {
      BatchCase<double> t({3, 4, 5, layout});
      run_all(t, training, runner);
      const auto value = [&](double step) {
        BatchCase<double> moved(t);
        for (std::size_t i = 0; i < t.x.size(); ++i) {
          moved.x[i] += step * std::sin(static_cast<double>(i));
          moved.dy[i] += step * std::cos(static_cast<double>(3 * i));
        }
        for (std::size_t c = 0; c < t.gamma.size(); ++c) moved.gamma[c] += step * (static_cast<double>(c) - 1.5);
        run_all(moved, training, runner);
        long double sum = 0;
        for (std::size_t i = 0; i < t.x.size(); ++i) sum += static_cast<long double>(t.ddx[i]) * moved.dx[i];
        for (std::size_t c = 0; c < t.gamma.size(); ++c) {
          sum += static_cast<long double>(t.ddgamma[c]) * moved.dgamma[c] + t.ddbeta[c] * moved.dbeta[c];
        }
        return sum;
      };
      const auto difference = [&](double step) { return (value(step) - value(-step)) / (2 * step); };
      const long double expected = (4 * difference(0x1p-11) - difference(0x1p-10)) / 3;
      long double found = 0;
      for (std::size_t i = 0; i < t.x.size(); ++i) {
        found += t.grad_x[i] * std::sin(static_cast<double>(i)) + t.grad_dy[i] * std::cos(static_cast<double>(3 * i));
      }
      for (std::size_t c = 0; c < t.gamma.size(); ++c) found += t.grad_gamma[c] * (static_cast<double>(c) - 1.5);
      EXPECT_TRUE(std::abs(found - expected) <= 1e-8 * std::abs(expected)) << found << " and " << expected;
    }
  }
}

}  // namespace
}  // namespace bnlab::kernels
