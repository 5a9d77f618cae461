#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::MomentTest;
using testing::small_dataset;
using testing::small_spec;

TEST_F(MomentTest, MomentChangesAreThoseOfTheStep) {
  const TrainSpec spec = small_spec("batch");
  RunReader reader =
      probed(spec, 2, "moment-changes", {{"layers", {3}}, {"images", 16}, {"places", {"linear", "activation-input"}}});
  const auto images = TrainingData(small_dataset(), spec).evaluation_loader(true, 16).next().x;
  const testing::Moment before = moment(spec, 2), after = moment(spec, 3);  // three updates instead of two
  at::NoGradGuard no_grad;
  for (const std::string prefix : {"", "linear_"}) {
    const bool linear = !prefix.empty();
    const at::Tensor a = testing::activation_by_hand(*before.network, images, 3, linear);
    const at::Tensor b = testing::activation_by_hand(*after.network, images, 3, linear);
    const at::Tensor mean_a = a.mean({0, 2, 3}), mean_b = b.mean({0, 2, 3});
    const at::Tensor var_a = a.var({0, 2, 3}, false), var_b = b.var({0, 2, 3}, false);
    EXPECT_NEAR(*reader.scalar_at({"moment-changes", 3, prefix + "mean"}, 2),
                ((mean_b - mean_a).abs() / var_a.sqrt()).mean().item<double>(), 1e-4);
    EXPECT_NEAR(*reader.scalar_at({"moment-changes", 3, prefix + "variance"}, 2),
                ((var_b - var_a).abs() / var_a).mean().item<double>(), 1e-4);
    EXPECT_GT(*reader.scalar_at({"moment-changes", 3, prefix + "variance"}, 2), 1e-3) << prefix;
  }
}

// Behind a ReLU that never fires there is no standard deviation to measure in. Deep in a network without
// normalization, where all images look alike, there are some.
TEST_F(MomentTest, ConstantChannelsAreLeftOut) {
  const TrainSpec spec = small_spec("none");
  const auto images = TrainingData(small_dataset(), spec).evaluation_loader(true, 16).next().x;
  RunReader reader = probed(spec, 2, "moment-changes", {{"layers", {8}}, {"images", 16}, {"places", {"output"}}});
  const testing::Moment before = moment(spec, 2), after = moment(spec, 3);
  at::NoGradGuard no_grad;
  const at::Tensor a = testing::activation_by_hand(*before.network, images, 8).relu();
  const at::Tensor b = testing::activation_by_hand(*after.network, images, 8).relu();
  double sum = 0, channels = 0;
  for (int64_t c = 0; c < a.size(1); ++c) {
    const double deviation = a.select(1, c).std(false).item<double>();
    if (deviation == 0) continue;
    sum += std::abs((b.select(1, c).mean() - a.select(1, c).mean()).item<double>()) / deviation;
    channels += 1;
  }
  ASSERT_LT(channels, static_cast<double>(a.size(1))) << "no dead ReLU: the test shows nothing";
  ASSERT_GT(channels, 0);
  EXPECT_NEAR(*reader.scalar_at({"moment-changes", 8, "output_mean"}, 2) / (sum / channels), 1, 1e-3);
}

// The same images and weights, but the noise is another.
TEST_F(MomentTest, NoiseMovesMoments) {
  RunReader still = probed(small_spec("none"), 1, "moment-changes", {{"layers", {2}}, {"images", 16}});
  RunReader noisy = probed(small_spec("noise"), 1, "moment-changes", {{"layers", {2}}, {"images", 16}});
  EXPECT_GT(*noisy.scalar_at({"moment-changes", 2, "mean"}, 1), 2 * *still.scalar_at({"moment-changes", 2, "mean"}, 1));
}

}  // namespace
}  // namespace bnlab
