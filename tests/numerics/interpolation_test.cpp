#include "bnlab/numerics/interpolation.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "tests/numerics/small_networks.h"

namespace bnlab {
namespace {

ParameterState state_of(double x, double y) {
  return {at::full({2, 3}, x, at::kFloat), at::full({4}, y, at::kDouble)};
}

void expect_state(const ParameterState& state, double x, double y) {
  ASSERT_EQ(state.size(), 2);
  EXPECT_TRUE(at::equal(state[0], at::full({2, 3}, x, at::kFloat))) << state[0];
  EXPECT_TRUE(at::equal(state[1], at::full({4}, y, at::kDouble))) << state[1];
}

TEST(Interpolation, OnALine) {
  const auto a = state_of(0, 8), b = state_of(4, -8);
  expect_state(on_line(a, b, 0.25), 1, 4);
  expect_state(on_line(a, b, 1.5), 6, -16);
  expect_state(on_line(a, b, -0.5), -2, 16);
}

TEST(Interpolation, OnATriangle) {
  const auto a = state_of(0, 0), b = state_of(4, 0), c = state_of(0, 8);
  expect_state(on_triangle(a, b, c, 0.25, 0.5), 1, 4);
  expect_state(on_triangle(a, b, c, 0, 0), 0, 0);
  expect_state(on_triangle(a, b, c, 1, 0), 4, 0);
  expect_state(on_triangle(a, b, c, 0, 1), 0, 8);
}

TEST(Interpolation, OnAPatch) {
  const std::array<ParameterState, 4> corners = {state_of(1, 0), state_of(3, 0), state_of(1, 8), state_of(3, 16)};
  expect_state(on_patch(corners, 0.5, 0.5), 2, 6);
  expect_state(on_patch(corners, 1, 0.25), 3, 4);
  expect_state(on_patch(corners, 0, 0), 1, 0);
  expect_state(on_patch(corners, 1, 0), 3, 0);
  expect_state(on_patch(corners, 0, 1), 1, 8);
  expect_state(on_patch(corners, 1, 1), 3, 16);
}

TEST(Interpolation, ACornerKeepsItsBitsAndOwnsItsMemory) {
  const ParameterState a = {at::tensor({0.1F, -0.0F, 1e-40F})};
  const ParameterState bad = {at::full({3}, std::numeric_limits<float>::quiet_NaN(), at::kFloat)};
  const auto corner = on_line(a, bad, 0);
  EXPECT_EQ(std::memcmp(corner[0].data_ptr(), a[0].data_ptr(), 12), 0);
  EXPECT_TRUE(on_line(a, bad, 0.5)[0].isnan().all().item<bool>());
  corner[0].fill_(7);
  EXPECT_NEAR(a[0][0].item<double>(), 0.1, 1e-7);
}

TEST(Interpolation, RoundsOnce) {
  const ParameterState a = {at::full({1}, 1.0F)}, b = {at::full({1}, 1 + 1.2e-7F)};
  const double third = 1 + (static_cast<double>(1 + 1.2e-7F) - 1) / 3;
  EXPECT_EQ(on_line(a, b, 1.0 / 3)[0].item<float>(), static_cast<float>(third));
}

TEST(Interpolation, StatesOfDifferentNetworksAreRefused) {
  const auto a = state_of(0, 0);
  EXPECT_THROW(on_line(a, {a[0]}, 0), c10::Error);
  EXPECT_THROW(on_line(a, {a[0].t().contiguous(), a[1]}, 0), c10::Error);
  EXPECT_THROW(on_line(a, {a[0].to(at::kDouble), a[1]}, 0), c10::Error);
}

TEST(Interpolation, ParameterStateIsACopy) {
  const auto network = testing::small_network("mlp", "batch");
  const ParameterState state = parameter_state(*network);
  EXPECT_EQ(state.size(), network->parameters().size());
  EXPECT_FALSE(state[0].requires_grad());
  const at::Tensor before = state[0].clone();
  at::NoGradGuard no_grad;
  network->parameters()[0].add_(1);
  EXPECT_TRUE(at::equal(state[0], before));
}

}  // namespace
}  // namespace bnlab
