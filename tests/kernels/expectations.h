// Comparisons for tests of the kernels.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/kernels/batch_case.h"

namespace bnlab::kernels {

using ElementTypes = testing::Types<float, double, BFloat16, Float16>;

/// |got - expected| <= tolerance(i) everywhere; a NaN or an infinite tolerance fails.
template <class V, class Tolerance>
void expect_near(const Values<V>& got, const std::vector<double>& expected, const char* what,
                 const Tolerance& tolerance) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error = stored_distance<V>(static_cast<double>(got[i]), expected[i]);
    const double allowed = tolerance(i) + storage_error<V>(expected[i]);
    if (!(error <= allowed) || std::isinf(allowed)) {
      FAIL() << what << "[" << i << "] is " << static_cast<double>(got[i]) << ", expected " << expected[i] << " within "
             << allowed;
    }
  }
}

template <class V>
void expect_near(const Values<V>& got, const std::vector<double>& expected, const char* what,
                 const std::vector<double>& tolerance) {
  ASSERT_EQ(got.size(), tolerance.size()) << what;
  expect_near(got, expected, what, [&](std::size_t i) { return tolerance[i]; });
}

}  // namespace bnlab::kernels
