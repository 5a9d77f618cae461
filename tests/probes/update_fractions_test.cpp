#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::MomentTest;
using testing::small_spec;

struct ByHand {
  std::vector<double> mean, variance;  // of each channel
};

/// Of (N,C,H,W), by loops.
ByHand channels_by_hand(const at::Tensor& values) {
  ByHand found;
  for (int64_t channel = 0; channel < values.size(1); ++channel) {
    const at::Tensor own = values.select(1, channel).contiguous();
    const float* value = own.data_ptr<float>();
    const auto count = static_cast<double>(own.numel());
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < own.numel(); ++i) mean += value[i] / count;
    for (int64_t i = 0; i < own.numel(); ++i) squares += std::pow(value[i] - mean, 2) / count;
    found.mean.push_back(mean);
    found.variance.push_back(squares);
  }
  return found;
}

double root_of_mean_square(const std::vector<double>& values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares / static_cast<double>(values.size()));
}

double average(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

TEST_F(MomentTest, UpdateFractionsAreThoseOfTheMovedNetwork) {
  constexpr int64_t kLayer = 5, kPoints = 3;
  for (const char* norm : {"none", "batch"}) {
    TrainSpec spec = small_spec(norm);
    spec.optimizer.lr = 0.3;
    RunReader reader = probed(spec, 2, "update-fractions", {{"layers", {2, kLayer}}, {"points", kPoints}});
    const auto before = moment(spec, 2).gradients();
    const auto array = [&](int64_t layer, const char* name) {
      return reader.arrays({"update-fractions", layer, name}).front();
    };
    const auto number = [&](const std::string& name) {
      return *reader.scalar_at({"update-fractions", kLayer, name}, 2);
    };
    EXPECT_EQ(array(0, "fraction").as_doubles(), (std::vector<double>{0, 0.5, 1}));
    EXPECT_NEAR(*reader.scalar_at({"update-fractions", 0, "length"}, 2) / (0.3 * testing::norm_of(before)), 1, 1e-5);
    const auto mean = array(kLayer, "mean").as_doubles(), variance = array(kLayer, "variance").as_doubles();
    for (size_t k = 0; k < kPoints; ++k) {
      const testing::Moment moved = moment(spec, 2);
      at::NoGradGuard no_grad;
      const double distance = 0.3 * static_cast<double>(k) / (kPoints - 1);
      for (size_t i = 0; i < before.size(); ++i) moved.network->parameters()[i].sub_(before[i], distance);
      const double loss = at::cross_entropy_loss(moved.network->forward(moved.batch.x), moved.batch.y).item<double>();
      EXPECT_NEAR(array(0, "loss").as_doubles()[k] / loss, 1, 1e-5) << norm << k;
      const ByHand hand = channels_by_hand(testing::activation_by_hand(*moved.network, moved.batch.x, kLayer, true));
      const size_t channels = hand.mean.size();
      ASSERT_EQ(array(kLayer, "mean").shape, (std::vector<int64_t>{kPoints, static_cast<int64_t>(channels)}));
      for (size_t c = 0; c < channels; ++c) {
        EXPECT_NEAR(mean[k * channels + c], hand.mean[c], 1e-4 * root_of_mean_square(hand.mean)) << norm << k;
        EXPECT_NEAR(variance[k * channels + c], hand.variance[c], 1e-4 * average(hand.variance)) << norm << k;
      }
      if (k != 0 && k != kPoints - 1) continue;
      const std::string when = k == 0 ? "before" : "after";
      EXPECT_NEAR(number("mean_" + when) / root_of_mean_square(hand.mean), 1, 1e-4) << norm;
      EXPECT_NEAR(number("variance_" + when) / average(hand.variance), 1, 1e-4) << norm;
      EXPECT_NEAR(*reader.scalar_at({"update-fractions", 0, "loss_" + when}, 2) / loss, 1, 1e-5) << norm;
    }
    EXPECT_TRUE(reader.arrays({"update-fractions", 3, "mean"}).empty()) << "which nobody asked for";
  }
}

}  // namespace
}  // namespace bnlab
