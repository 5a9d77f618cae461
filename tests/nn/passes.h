// A pass of a layer or network, and the comparison of two.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bnlab/nn/model_list.h"
#include "tests/nn/small_norm_options.h"

namespace bnlab::testing {

inline NormChoice norm_choice(const std::string& kind, bool after_activation = false) {
  return {kind, after_activation, small_norm_options(kind)};
}

inline int64_t parameter_count(const Network& network) {
  int64_t count = 0;
  for (const at::Tensor& parameter : network.parameters()) count += parameter.numel();
  return count;
}

/// A training pass, and the state it leaves.
struct Pass {
  at::Tensor y;
  std::vector<at::Tensor> gradients, buffers;
};

inline void expect_equal(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::equal(a[i], b[i])) << i;
}

}  // namespace bnlab::testing
