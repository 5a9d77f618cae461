// libtorch's convolutions are right, or are made right.
#include "bnlab/ops/convolutions.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <gtest/gtest.h>

namespace bnlab::ops {
namespace {

TEST(Convolutions, AreRightOnceWrongOnesAreAvoided) {
  const bool were_right = convolutions_are_right(), enabled = at::globalContext().userEnabledMkldnn();
  EXPECT_EQ(avoid_wrong_convolutions(), enabled && !were_right);
  EXPECT_TRUE(convolutions_are_right());
  EXPECT_EQ(at::globalContext().userEnabledMkldnn(), enabled && were_right);
  EXPECT_FALSE(avoid_wrong_convolutions());
}

/// Wider than what the check itself looks at: channels that are no multiple of a vector, in both layouts.
TEST(Convolutions, OfEveryNumberOfChannelsAgreeWithDoubles) {
  avoid_wrong_convolutions();
  for (const int channels : {1, 3, 8, 12, 16, 17, 24, 40}) {
    for (const int outputs : {1, 4, 8, 16, 20, 24}) {
      for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
        const at::Tensor x = at::randn({3, channels, 7, 6}).contiguous(format),
                         w = at::randn({outputs, channels, 3, 3});
        const at::Tensor error = at::conv2d(x, w).to(at::kDouble) - at::conv2d(x.to(at::kDouble), w.to(at::kDouble));
        EXPECT_LE(error.abs().max().item<double>(), 1e-3) << channels << " to " << outputs;
      }
    }
  }
}

}  // namespace
}  // namespace bnlab::ops
