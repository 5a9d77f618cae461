// Derivatives by central differences, to judge those of autograd by.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <functional>
#include <vector>

namespace bnlab::ops {

using Tensors = std::vector<at::Tensor>;
/// A scalar of some tensors.
using Scalar = std::function<at::Tensor(const Tensors&)>;

inline Tensors gradients(const Scalar& f, const Tensors& at, bool create_graph = false) {
  return torch::autograd::grad({f(at)}, at, {}, /*retain_graph=*/c10::nullopt, create_graph, /*allow_unused=*/true);
}

/// sum over f's gradients of <gradient, random weights>: a scalar whose gradients are f's next derivatives.
inline Scalar next_order(const Scalar& f, std::uint64_t seed) {
  return [f, seed](const Tensors& at) {
    at::Generator generator = at::detail::createCPUGenerator(seed);
    at::Tensor sum = at::zeros({}, at::kDouble);
    for (const at::Tensor& gradient : gradients(f, at, /*create_graph=*/true)) {
      if (gradient.defined()) sum = sum + (gradient * at::randn(gradient.sizes(), generator, at::kDouble)).sum();
    }
    return sum;
  };
}

/// Every element of every gradient of f, against (f(x + h) - f(x - h)) / 2h. Inputs: double, requiring gradients.
inline void expect_gradients_match_differences(const Scalar& f, const Tensors& at, double tolerance) {
  constexpr double kStep = 1e-5;
  const Tensors found = gradients(f, at);
  double largest = 0;
  for (std::size_t k = 0; k < at.size(); ++k) {
    const at::Tensor gradient = found[k].defined() ? found[k] : at::zeros_like(at[k]);
    at::Tensor values = at[k].detach().contiguous().view({-1});
    const at::Tensor flat = gradient.contiguous().view({-1});
    for (std::int64_t i = 0; i < values.numel(); ++i) {
      const auto shifted = [&](double step) {
        Tensors moved = at;
        const at::Tensor copy = values.clone();
        copy[i] += step;
        moved[k] = at::empty_like(at[k].detach()).copy_(copy.view(at[k].sizes())).set_requires_grad(true);
        return f(moved).item<double>();
      };
      const double expected = (shifted(kStep) - shifted(-kStep)) / (2 * kStep);
      const double error = std::abs(flat[i].item<double>() - expected);
      ASSERT_TRUE(error <= tolerance) << "input " << k << " element " << i << ": gradient " << flat[i].item<double>()
                                      << ", difference quotient " << expected;
      largest = std::max(largest, std::abs(expected));
    }
  }
  EXPECT_GT(largest, 100 * tolerance) << "all derivatives are near zero: nothing was tested";
}

/// max |a - b| <= tolerance * max(1, |b|); a NaN fails.
inline void expect_close(const at::Tensor& a, const at::Tensor& b, double tolerance, const char* what) {
  ASSERT_EQ(a.sizes(), b.sizes()) << what;
  if (b.numel() == 0) return;
  const double scale = std::max(1.0, b.detach().abs().max().item<double>());
  const double error = (a.detach().to(at::kDouble) - b.detach().to(at::kDouble)).abs().max().item<double>();
  EXPECT_TRUE(error <= tolerance * scale) << what << ": largest error " << error << " of " << scale;
}

}  // namespace bnlab::ops
