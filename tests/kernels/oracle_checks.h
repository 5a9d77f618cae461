// The results of a BatchCase against the oracle's.
#pragma once

#include "tests/kernels/expectations.h"
#include "tests/oracle/error_bounds.h"

namespace bnlab::kernels {

template <class E>
oracle::Precision precision() {
  return oracle::precision_of<Compute<E>>();
}

/// Where the ReLU lets a gradient through, seen in its result.
template <class E>
std::vector<bool> open_places(const BatchCase<E>& t) {
  std::vector<bool> open(t.y.size(), true);
  if (t.fusion == Fusion::kNone) return open;
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = !(static_cast<double>(t.y[i]) <= 0);
  return open;
}

inline std::vector<double> where(const std::vector<bool>& open, std::vector<double> values) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = open[i] ? values[i] : 0;
  return values;
}

template <class E>
void check_statistics(const BatchCase<E>& t) {
  const auto expected = oracle::statistics(t.batch(), kEps);
  auto p = precision<E>();
  p.cancellation = 4;  // random values: a mean of the first few lies near that of all
  const auto bounds = oracle::statistics_bounds(p, t.batch(), expected, kEps);
  expect_near(t.mean, expected.mean, "mean", bounds.mean);
  expect_near(t.var_biased, expected.var_biased, "var_biased", bounds.var_biased);
  expect_near(t.rstd, expected.rstd, "rstd", bounds.rstd);
}

/// y by the statistics of the case.
template <class E>
void check_forward(const BatchCase<E>& t) {
  const auto gamma = t.gamma.doubles(), beta = t.beta.doubles(), addend = t.addend.doubles();
  auto expected = oracle::forward(t.batch(), t.statistics(), gamma, beta);
  for (std::size_t i = 0; i < addend.size(); ++i) expected[i] += addend[i];
  if (t.fusion != Fusion::kNone) expected = oracle::relu(expected);
  expect_near(t.y, expected, "y",
              oracle::forward_bounds(precision<E>(), t.batch(), t.statistics(), gamma, beta, addend));
}

/// Gradients by the statistics of the case and where its y is not 0.
template <class E>
void check_backward(const BatchCase<E>& t, bool training) {
  const auto dz = where(open_places(t), t.dy.doubles()), gamma = t.gamma.doubles();
  const auto expected = oracle::backward(t.batch(), dz, t.statistics(), gamma, training);
  const auto bounds = oracle::backward_bounds(precision<E>(), t.batch(), dz, t.statistics(), gamma, training);
  expect_near(t.dx, expected.dx, "dx", bounds.dx);
  expect_near(t.dgamma, expected.dgamma, "dgamma", bounds.dgamma);
  expect_near(t.dbeta, expected.dbeta, "dbeta", bounds.dbeta);
  if (t.fusion == Fusion::kAddRelu) {
    ASSERT_TRUE(t.daddend.doubles() == dz);
  }
}

template <class E>
void check_second_derivative(const BatchCase<E>& t, bool training) {
  const auto open = open_places(t);
  const auto dz = where(open, t.dy.doubles()), gamma = t.gamma.doubles();
  const auto cotangents = t.cotangents();
  const auto expected = oracle::second_derivative(t.batch(), dz, t.statistics(), gamma, cotangents, training);
  const auto bounds = oracle::second_bounds(precision<E>(), t.batch(), dz, t.statistics(), gamma, cotangents, training);
  expect_near(t.grad_x, expected.grad_x, "grad_x", bounds.grad_x);
  expect_near(t.grad_dy, where(open, expected.grad_dz), "grad_dy", where(open, bounds.grad_dz));
  expect_near(t.grad_gamma, expected.grad_gamma, "grad_gamma", bounds.grad_gamma);
}

/// Runs a case's forward pass, backward pass and second derivative, in training or with its own running statistics.
template <class E>
void run_all(BatchCase<E>& t, bool training, TaskRunner& runner) {
  if (training) {
    ASSERT_EQ(forward_training(t.forward(), runner), Status::kOk);
    ASSERT_EQ(backward_training(t.backward(), runner), Status::kOk);
    ASSERT_EQ(second_derivative_training(t.second(), runner), Status::kOk);
  } else {
    t.set_running_statistics();
    ASSERT_EQ(forward_evaluation(t.evaluation(), runner), Status::kOk);
    ASSERT_EQ(backward_evaluation(t.backward(), runner), Status::kOk);
    ASSERT_EQ(second_derivative_evaluation(t.second(), runner), Status::kOk);
  }
}

template <class E>
void check_all(const BatchCase<E>& t, bool training) {
  if (training) check_statistics(t);
  check_forward(t);
  check_backward(t, training);
  check_second_derivative(t, training);
  ASSERT_TRUE(t.guarded());
}

}  // namespace bnlab::kernels
