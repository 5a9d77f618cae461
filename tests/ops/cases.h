// Batches to test the operators with.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "bnlab/ops/batch_norm.h"
#include "bnlab/ops/element_type.h"

namespace bnlab::ops {

inline constexpr double kEps = 1e-5;
inline constexpr at::ScalarType kTypes[] = {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf};
inline constexpr at::ScalarType kNarrowTypes[] = {at::kBFloat16, at::kHalf};

enum class Order { kContiguous, kChannelsLast, kStrided };

inline at::Tensor arrange(const at::Tensor& x, Order order) {
  if (order == Order::kChannelsLast) return x.movedim(1, -1).contiguous().movedim(-1, 1);
  if (order == Order::kStrided) return at::stack({x, x}, -1).select(-1, 1);
  return x.contiguous();
}

struct Case {
  std::vector<std::int64_t> sizes;
  Order order;
};

inline std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Order order : {Order::kContiguous, Order::kChannelsLast, Order::kStrided}) {
    for (const auto& sizes : std::vector<std::vector<std::int64_t>>{{16, 5},
                                                                    {130, 65},
                                                                    {4, 3, 17},
                                                                    {8, 16, 8, 8},
                                                                    {5, 65, 7, 7},
                                                                    {3, 1, 5, 5},
                                                                    {6, 4, 1, 1},
                                                                    {3, 2, 4, 3, 5}}) {
      all.push_back({sizes, order});
    }
  }
  return all;
}

struct Inputs {
  explicit Inputs(const Case& which, at::ScalarType type = at::kDouble, double mean = 0.5) {
    at::Generator generator = at::detail::createCPUGenerator(7);
    const auto random = [&](at::IntArrayRef sizes) { return at::randn(sizes, generator, at::kDouble); };
    const std::int64_t channels = which.sizes[1];
    x = arrange((random(which.sizes) + mean).to(type), which.order).set_requires_grad(true);
    dy = arrange(random(which.sizes).to(type), which.order);
    const at::ScalarType of_parameters = compute_type(type);
    gamma = (1 + 0.3 * random({channels})).to(of_parameters).set_requires_grad(true);
    beta = random({channels}).to(of_parameters).set_requires_grad(true);
    running_mean = random({channels}).to(of_parameters);
    running_var = (1 + random({channels}).abs()).to(of_parameters);
    addend = arrange(random(which.sizes).to(type), which.order).set_requires_grad(true);
  }

  at::Tensor x, dy, gamma, beta, running_mean, running_var, addend;
};

inline std::string name_of(const Case& which) {
  std::ostringstream name;
  name << "sizes";
  for (const std::int64_t size : which.sizes) name << ' ' << size;
  name << ", order " << static_cast<int>(which.order);
  return name.str();
}

enum class Fused { kNone, kRelu, kAddRelu };
inline constexpr Fused kFusions[] = {Fused::kNone, Fused::kRelu, Fused::kAddRelu};

inline Epilogue epilogue(Fused fused, const at::Tensor& addend) {
  return {.relu = fused != Fused::kNone, .addend = fused == Fused::kAddRelu ? addend : at::Tensor()};
}

/// The same by ATen's operators.
inline at::Tensor composed_epilogue(const at::Tensor& z, Fused fused, const at::Tensor& addend) {
  if (fused == Fused::kNone) return z;
  return at::relu(fused == Fused::kAddRelu ? z + addend : z);
}

}  // namespace bnlab::ops
