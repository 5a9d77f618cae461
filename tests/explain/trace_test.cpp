// The staged graph of a table against the oracle, finite differences, the closed form, and numbers worked out by hand.
#include "bnlab/explain/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "tests/oracle/batch_norm_oracle.h"

namespace bnlab {
namespace {

using ::testing::HasSubstr;

TracedLayer random_layer(std::int64_t rows, std::int64_t columns, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  TracedLayer layer;
  layer.x = layer.dy = Matrix(rows, columns);
  layer.gamma = layer.beta = Matrix(1, columns);
  for (Matrix* matrix : {&layer.x, &layer.dy, &layer.gamma, &layer.beta}) {
    for (double& value : matrix->values) value = 3 * normal(generator);
  }
  for (std::int64_t c = 0; c < columns; ++c) layer.columns.push_back("c" + std::to_string(c));
  layer.eps = 0.1;
  return layer;
}

void expect_near(const std::vector<double>& got, const std::vector<double>& expected, double tolerance,
                 const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_LE(std::abs(got[i] - expected[i]), tolerance * (1 + std::abs(expected[i]))) << what << " " << i;
  }
}

/// d(loss)/d(values) by central differences, the loss being the sum of y·dy.
std::vector<double> numeric_gradient(TracedLayer layer, const std::function<Matrix&(TracedLayer&)>& part) {
  const auto loss = [&] {
    const Trace traced = trace(layer);
    double sum = 0;
    const auto& y = traced.node("y").value.values;
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * layer.dy.values[i];
    return sum;
  };
  std::vector<double> gradient;
  for (double& value : part(layer).values) {
    const double kept = value, step = 1e-5;
    value = kept + step;
    const double above = loss();
    value = kept - step;
    gradient.push_back((above - loss()) / (2 * step));
    value = kept;
  }
  return gradient;
}

TEST(Trace, IsTheOraclesInTraining) {
  for (unsigned seed = 1; seed <= 5; ++seed) {
    const TracedLayer layer = random_layer(7, 3, seed);
    const Trace traced = trace(layer);
    const oracle::Batch x{7, 3, 1, true, layer.x.values};
    const oracle::Statistics statistics = oracle::statistics(x, layer.eps);
    expect_near(traced.node("mean").value.values, statistics.mean, 1e-13, "mean");
    expect_near(traced.node("var_biased").value.values, statistics.var_biased, 1e-13, "var");
    expect_near(traced.node("rstd").value.values, statistics.rstd, 1e-13, "rstd");
    expect_near(traced.node("y").value.values, oracle::forward(x, statistics, layer.gamma.values, layer.beta.values),
                1e-13, "y");
    EXPECT_EQ(traced.nodes.size(), 12u);
  }
}

TEST(Trace, GradientsAreTheDerivativesInBothModes) {
  for (const bool inference : {false, true}) {
    TracedLayer layer = random_layer(5, 2, 9);
    if (inference) layer.population = statistics_of(random_layer(6, 2, 10).x);
    const Trace traced = trace(layer);
    const auto check = [&](const std::string& name, const std::function<Matrix&(TracedLayer&)>& part) {
      expect_near(traced.node(name).gradient->values, numeric_gradient(layer, part), 1e-7, name);
    };
    check("x", [](TracedLayer& it) -> Matrix& { return it.x; });
    check("gamma", [](TracedLayer& it) -> Matrix& { return it.gamma; });
    check("beta", [](TracedLayer& it) -> Matrix& { return it.beta; });
    EXPECT_LE(traced.difference, 1e-12);
    expect_near(traced.node("x").gradient->values, traced.dx.values, 1e-12, "closed form");
  }
}

/// The loss's derivative by a node's value, the graph behind it evaluated anew from that value.
TEST(Trace, GradientsOfTheStatisticsAreDerivativesToo) {
  const TracedLayer layer = random_layer(6, 1, 4);
  const Trace traced = trace(layer);
  const auto loss = [&](double mean, double var, double rstd_shift) {
    const double rstd = 1 / std::sqrt(var + layer.eps) + rstd_shift;
    double sum = 0;
    for (std::int64_t i = 0; i < 6; ++i) {
      sum += layer.dy.at(i, 0) * ((layer.x.at(i, 0) - mean) * rstd * layer.gamma.at(0, 0) + layer.beta.at(0, 0));
    }
    return sum;
  };
  const double mean = traced.node("mean").value.values[0], var = traced.node("var_biased").value.values[0], h = 1e-5;
  EXPECT_NEAR(traced.node("var_biased").gradient->values[0],
              (loss(mean, var + h, 0) - loss(mean, var - h, 0)) / (2 * h), 1e-6);
  EXPECT_NEAR(traced.node("rstd").gradient->values[0], (loss(mean, var, h) - loss(mean, var, -h)) / (2 * h), 1e-6);
  // The variance does not move with the mean to first order, since the centered values sum to 0.
  EXPECT_NEAR(traced.node("mean").gradient->values[0], (loss(mean + h, var, 0) - loss(mean - h, var, 0)) / (2 * h),
              1e-6);
}

// x = 1, 3: mean 2, centered -1, 1, variance 1, eps 3: std 2. gamma 4, dy = 1, 0.
TEST(Trace, IsWhatOneWorksOutByHand) {
  TracedLayer layer = random_layer(2, 1, 1);
  layer.x.values = {1, 3};
  layer.dy.values = {1, 0};
  layer.gamma.values = {4};
  layer.beta.values = {10};
  layer.eps = 3;
  const Trace traced = trace(layer);
  const auto value = [&](const std::string& name) { return traced.node(name).value.values; };
  const auto gradient = [&](const std::string& name) { return traced.node(name).gradient->values; };
  using ::testing::ElementsAre;
  EXPECT_THAT(value("mean"), ElementsAre(2));
  EXPECT_THAT(value("centered"), ElementsAre(-1, 1));
  EXPECT_THAT(value("std"), ElementsAre(2));
  EXPECT_THAT(value("xhat"), ElementsAre(-0.5, 0.5));
  EXPECT_THAT(value("y"), ElementsAre(8, 12));
  EXPECT_THAT(gradient("xhat"), ElementsAre(4, 0));
  EXPECT_THAT(gradient("gamma"), ElementsAre(-0.5));
  EXPECT_THAT(gradient("rstd"), ElementsAre(-4));
  EXPECT_THAT(gradient("std"), ElementsAre(1));
  EXPECT_THAT(gradient("var_biased"), ElementsAre(0.25));
  EXPECT_THAT(gradient("squared"), ElementsAre(0.125, 0.125));
  EXPECT_THAT(gradient("centered"), ElementsAre(1.75, 0.25));
  EXPECT_THAT(gradient("mean"), ElementsAre(-2));
  EXPECT_THAT(gradient("x"), ElementsAre(0.75, -0.75));
}

TEST(Trace, OfInferenceHoldsTheStatisticsFixed) {
  TracedLayer layer = random_layer(4, 2, 3);
  layer.population = statistics_of(layer.x);
  const Trace traced = trace(layer);
  EXPECT_EQ(traced.nodes.size(), 11u);
  EXPECT_FALSE(traced.node("running_mean").gradient.has_value());
  EXPECT_FALSE(traced.node("rstd").gradient.has_value());
  const oracle::Statistics batch = oracle::statistics({4, 2, 1, true, layer.x.values}, 0);
  for (std::size_t c = 0; c < 2; ++c) {
    EXPECT_NEAR(traced.node("running_var").value.values[c], batch.var_biased[c] * 4 / 3, 1e-12);
  }
}

TEST(Trace, GivesEdgesTheirDocumentedValues) {
  TracedLayer one = random_layer(1, 2, 5);
  EXPECT_EQ(trace(one).node("y").value.values, one.beta.values);
  EXPECT_EQ(trace(one).node("x").gradient->values, std::vector<double>(2, 0));
  EXPECT_THAT(trace(one).notes, ::testing::ElementsAre(HasSubstr("One row is its own mean")));
  TracedLayer constant = random_layer(3, 2, 6);
  for (std::int64_t i = 0; i < 3; ++i) constant.x.at(i, 1) = 7;
  EXPECT_EQ(trace(constant).node("y").value.at(2, 1), constant.beta.at(0, 1));
  EXPECT_THAT(trace(constant).notes, ::testing::ElementsAre(HasSubstr("Column \"c1\" is constant")));
}

std::string complaint(const TracedLayer& layer) {
  try {
    trace(layer);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

TEST(Trace, RefusesWhatHasNoResult) {
  const auto changed = [](const std::function<void(TracedLayer&)>& change) {
    TracedLayer layer = random_layer(3, 2, 7);
    change(layer);
    return complaint(layer);
  };
  EXPECT_THAT(changed([](auto& it) { it.eps = -1; }), HasSubstr("eps must be at least 0, not -1"));
  EXPECT_THAT(changed([](auto& it) { it.eps = NAN; }), HasSubstr("eps must be finite"));
  EXPECT_THAT(changed([](auto& it) { it.x.at(1, 1) = INFINITY; }), HasSubstr("the table holds inf"));
  EXPECT_THAT(changed([](auto& it) { it.gamma.at(0, 0) = NAN; }), HasSubstr("gamma holds nan"));
  EXPECT_THAT(changed([](auto& it) { it.gamma = Matrix(1, 3); }), HasSubstr("gamma has 3 values, the table 2 columns"));
  EXPECT_THAT(changed([](auto& it) { it.dy = Matrix(2, 2); }), HasSubstr("the gradient has 2 rows"));
  EXPECT_THAT(changed([](auto& it) { it.x = Matrix(0, 2); }), HasSubstr("at least one row"));
  EXPECT_THAT(changed([](auto& it) { it.x.at(0, 1) = 1e200; }),
              HasSubstr("squared of column \"c1\" is inf, beyond the range of a double"));
  EXPECT_THAT(changed([](auto& it) {
                it.eps = 0;
                for (std::int64_t i = 0; i < 3; ++i) it.x.at(i, 0) = 5;
              }),
              HasSubstr("column \"c0\" has variance 0 and eps is 0"));
  EXPECT_THAT(changed([](auto& it) {
                it.population = {Matrix(1, 2, 0), Matrix(1, 2, -1)};
              }),
              HasSubstr("a variance cannot be below 0"));
  EXPECT_THROW(statistics_of(Matrix(1, 2)), std::invalid_argument);
}

}  // namespace
}  // namespace bnlab
