#include <gtest/gtest.h>

#include <cmath>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::MomentTest;
using testing::small_spec;

TEST_F(MomentTest, GradientSketchesKeepAnglesAndLengths) {
  const TrainSpec spec = small_spec("batch");
  constexpr int64_t kSize = 4096;
  RunReader first = probed(spec, 1, "gradient-sketch", {{"size", kSize}});
  RunReader second = probed(spec, 2, "gradient-sketch", {{"size", kSize}});
  const auto a = moment(spec, 1).gradients(), b = moment(spec, 2).gradients();
  const auto x = first.arrays({"gradient-sketch", 0, "sketch"}).front().as_doubles();
  const auto y = second.arrays({"gradient-sketch", 0, "sketch"}).front().as_doubles();
  double xy = 0, ab = 0, xx = 0;
  for (size_t i = 0; i < x.size(); ++i) xy += x[i] * y[i], xx += x[i] * x[i];
  for (size_t i = 0; i < a.size(); ++i) ab += (a[i] * b[i]).sum().item<double>();
  const double scale = testing::norm_of(a) * testing::norm_of(b);
  EXPECT_NEAR(xy / scale, ab / scale, 5 / std::sqrt(kSize)) << "five standard errors";
  EXPECT_NEAR(std::sqrt(xx) / testing::norm_of(a), 1, 5 / std::sqrt(kSize));
  EXPECT_NEAR(*first.scalar_at({"gradient-sketch", 0, "norm"}, 1) / testing::norm_of(a), 1, 1e-5);
  EXPECT_DOUBLE_EQ(*first.scalar_at({"gradient-sketch", 0, "rate"}, 1), spec.optimizer.lr);
}

}  // namespace
}  // namespace bnlab
