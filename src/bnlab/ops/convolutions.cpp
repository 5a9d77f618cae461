#include "bnlab/ops/convolutions.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <cmath>

namespace bnlab::ops {
namespace {

/// Values in [-1, 1) of no pattern, without touching anyone's random numbers.
at::Tensor values(at::IntArrayRef sizes, double seed) {
  const at::Tensor index = at::arange(1, c10::multiply_integers(sizes) + 1, at::kDouble);
  return (index * index * seed).sin().reshape(sizes);
}

/// y and the gradient of x where y's is dy, of a convolution of 3×3.
std::array<at::Tensor, 2> convolve(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& dy) {
  const std::array<std::int64_t, 2> one = {1, 1}, zero = {0, 0};
  const at::Tensor y = at::conv2d(x, weight);
  const auto gradients =
      at::convolution_backward(dy, x, weight, c10::nullopt, one, zero, one, /*transposed=*/false, zero,
                               /*groups=*/1, {true, false, false});
  return {y, std::get<0>(gradients)};
}

/// NaN is not near.
bool near(const at::Tensor& a, const at::Tensor& b) {
  return ((a.to(at::kDouble) - b).abs().max() <= 1e-3 * b.abs().max()).item<bool>();
}

/// Two samples of 6×6: a single one takes another path.
bool is_right(std::int64_t channels, std::int64_t outputs) {
  const at::Tensor x = values({2, channels, 6, 6}, 0.7), weight = values({outputs, channels, 3, 3}, 1.3);
  const at::Tensor dy = values({2, outputs, 4, 4}, 1.9);
  const auto wide = convolve(x, weight, dy);
  const auto narrow = convolve(x.to(at::kFloat), weight.to(at::kFloat), dy.to(at::kFloat));
  return near(narrow[0], wide[0]) && near(narrow[1], wide[1]);
}

}  // namespace

bool convolutions_are_right() {
  const c10::InferenceMode no_derivatives;
  return is_right(3, 8) && is_right(8, 4) && is_right(17, 16);
}

bool avoid_wrong_convolutions() {
  at::Context& context = at::globalContext();
  if (!at::hasMKLDNN() || !context.userEnabledMkldnn() || convolutions_are_right()) return false;
  context.setUserEnabledMkldnn(false);
  return true;
}

}  // namespace bnlab::ops
