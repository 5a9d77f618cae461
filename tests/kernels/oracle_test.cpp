// The oracle's derivatives against differences of what they differentiate.
#include <gtest/gtest.h>

#include <random>

#include "tests/oracle/batch_norm_oracle.h"

namespace bnlab::oracle {
namespace {

constexpr double kEps = 0.3;

struct Case {
  Batch x{3, 2, 4, true, {}};
  std::vector<double> dy, gamma{1.3, -0.7}, beta{0.4, 0.1};
  Cotangents by{{}, {0.8, -1.1}, {0.3, 0.9}, {}};

  Case() {
    std::mt19937 random(5);
    std::normal_distribution<double> normal;
    for (std::vector<double>* values : {&x.values, &dy, &by.ddx, &by.ddaddend}) {
      for (int i = 0; i < 24; ++i) values->push_back(0.4 + normal(random));
    }
  }
};

Statistics statistics_of(const Batch& x, bool training) {
  return training ? statistics(x, kEps) : Statistics{{0.2, 0.5}, {}, {0.9, 1.4}};
}

// sum(y*dy)
long double value(const Case& t, bool training) {
  const auto y = forward(t.x, statistics_of(t.x, training), t.gamma, t.beta);
  long double sum = 0;
  for (std::size_t i = 0; i < y.size(); ++i) sum += static_cast<long double>(y[i]) * t.dy[i];
  return sum;
}

// What a second derivative differentiates.
long double value_of_backward(const Case& t, bool training) {
  const auto by_first = backward(t.x, t.dy, statistics_of(t.x, training), t.gamma, training);
  long double sum = 0;
  for (std::size_t i = 0; i < t.dy.size(); ++i) {
    sum +=
        static_cast<long double>(by_first.dx[i]) * t.by.ddx[i] + static_cast<long double>(t.dy[i]) * t.by.ddaddend[i];
  }
  for (std::size_t c = 0; c < 2; ++c) {
    sum += static_cast<long double>(by_first.dgamma[c]) * t.by.ddgamma[c] +
           static_cast<long double>(by_first.dbeta[c]) * t.by.ddbeta[c];
  }
  return sum;
}

// Each of `gradient` against the central difference of f where that one of `values` moves, extrapolated from two steps
// (Richardson).
template <class F>
void expect_gradient(std::vector<double>& values, const std::vector<double>& gradient, const F& f) {
  ASSERT_EQ(values.size(), gradient.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double at = values[i];
    const auto difference = [&](double step) {
      values[i] = at + step;
      const long double above = f();
      values[i] = at - step;
      const long double below = f();
      values[i] = at;
      return (above - below) / (2 * step);
    };
    const long double expected = (4 * difference(0x1p-10) - difference(0x1p-9)) / 3;
    EXPECT_TRUE(std::abs(gradient[i] - expected) <= 1e-9) << i << ": " << gradient[i] << ", not " << expected;
  }
}

TEST(Oracle, BackwardIsTheGradientOfForward) {
  for (const bool training : {true, false}) {
    Case t;
    const auto gradients = backward(t.x, t.dy, statistics_of(t.x, training), t.gamma, training);
    const auto f = [&] { return value(t, training); };
    expect_gradient(t.x.values, gradients.dx, f);
    expect_gradient(t.gamma, gradients.dgamma, f);
    expect_gradient(t.beta, gradients.dbeta, f);
  }
}

TEST(Oracle, SecondDerivativeIsTheGradientOfBackward) {
  for (const bool training : {true, false}) {
    Case t;
    const auto gradients = second_derivative(t.x, t.dy, statistics_of(t.x, training), t.gamma, t.by, training);
    const auto f = [&] { return value_of_backward(t, training); };
    expect_gradient(t.x.values, gradients.grad_x, f);
    expect_gradient(t.dy, gradients.grad_dz, f);
    expect_gradient(t.gamma, gradients.grad_gamma, f);
  }
}

TEST(Oracle, StatisticsOfAKnownBatch) {
  const Batch x{2, 2, 2, false, {1, 3, 10, 10, 5, 7, 10, 10}};
  const auto found = statistics(x, 4);
  EXPECT_EQ(found.mean, (std::vector<double>{4, 10}));
  EXPECT_EQ(found.var_biased, (std::vector<double>{5, 0}));
  EXPECT_EQ(found.rstd, (std::vector<double>{1.0 / 3, 0.5}));
}

TEST(Oracle, ConstantChannelsHaveNoVariance) {
  for (const double value : {1234.1, -0.3, 1e300, 5e-324}) {
    const Batch x{128, 1, 105, false, std::vector<double>(std::size_t{128} * 105, value)};
    const auto found = statistics(x, 4);
    EXPECT_EQ(found.mean, std::vector<double>{value});
    EXPECT_EQ(found.var_biased, std::vector<double>{0});
    EXPECT_EQ(found.rstd, std::vector<double>{0.5});
  }
}

TEST(Oracle, ReluStopsZerosAndKeepsNan) {
  const auto y = relu({-1, -0.0, 0, 2, std::nan("")});
  EXPECT_EQ((std::vector<double>{y.begin(), y.begin() + 4}), (std::vector<double>{0, 0, 0, 2}));
  EXPECT_TRUE(std::isnan(y[4]));
}

}  // namespace
}  // namespace bnlab::oracle
