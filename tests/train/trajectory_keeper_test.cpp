#include "bnlab/train/trajectory_keeper.h"

#include <gtest/gtest.h>

#include <cmath>

namespace bnlab {
namespace {

TEST(Concatenated, IsInLogicalOrderWhateverTheMemoryFormat) {
  const at::Tensor weight = at::arange(24, at::kFloat).view({2, 3, 2, 2});
  const auto plain = concatenated({weight, at::tensor({100.0f})});
  EXPECT_EQ(plain, concatenated({weight.contiguous(at::MemoryFormat::ChannelsLast), at::tensor({100.0f})}));
  EXPECT_EQ(plain[5], 5);
  EXPECT_EQ(plain.back(), 100);
}

TEST(RandomProjection, IsLinearAndKeepsLengthsOnAverage) {
  const at::Tensor a = at::randn({1000}), b = at::randn({1000});
  const auto pa = random_projection({a}, 400, 1), pb = random_projection({b}, 400, 1);
  const auto sum = random_projection({a + b}, 400, 1);
  double squares = 0;
  for (size_t i = 0; i < sum.size(); ++i) {
    EXPECT_NEAR(sum[i], pa[i] + pb[i], 1e-4);
    squares += static_cast<double>(pa[i]) * pa[i];
  }
  const double length = a.square().sum().item<double>();
  EXPECT_NEAR(squares / length, 1, 5 * std::sqrt(2.0 / 400));
  EXPECT_NE(pa, random_projection({a}, 400, 2));
}

}  // namespace
}  // namespace bnlab
