#include "bnlab/probes/shape.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::ProbesTest;
using testing::small_dataset;
using testing::small_spec;

/// By the textbook's formulas, over the values (N,C,H,W) of one channel.
struct ShapeOfValues {
  double skewness, kurtosis;
};
ShapeOfValues shape_of_values(const at::Tensor& values, int64_t channel) {
  const at::Tensor one = values.select(1, channel).contiguous();
  const auto* x = one.data_ptr<float>();
  const auto n = static_cast<double>(one.numel());
  const auto mean_power = [&](double mean, int power) {
    double sum = 0;
    for (int64_t i = 0; i < one.numel(); ++i) sum += std::pow(static_cast<double>(x[i]) - mean, power);
    return sum / n;
  };
  const double mean = mean_power(0, 1), variance = mean_power(mean, 2);
  return {mean_power(mean, 3) / std::pow(variance, 1.5), mean_power(mean, 4) / (variance * variance) - 3};
}

double lower_median(const at::Tensor& values, const std::function<double(const ShapeOfValues&)>& number) {
  std::vector<double> all;
  for (int64_t channel = 0; channel < values.size(1); ++channel) {
    const double one = std::abs(number(shape_of_values(values, channel)));
    if (std::isfinite(one)) all.push_back(one);
  }
  std::sort(all.begin(), all.end());
  return all.empty() ? NAN : all[(all.size() - 1) / 2];
}

TEST_F(ProbesTest, ShapeIsSkewnessAndKurtosisOfChannels) {
  for (const char* norm : {"none", "batch"}) {
    const TrainSpec spec = small_spec(norm, 3);
    const auto folder =
        run(spec, {{"shape",
                    0,
                    100,
                    true,
                    {{"layers", {2, 3}}, {"images", 16}, {"places", {"linear", "activation-input", "output"}}}}});
    const auto network = trained(folder, spec);
    at::NoGradGuard no_grad;
    const at::Tensor images = TrainingData(small_dataset(), spec).evaluation_loader(true, 16).next().x;
    RunReader reader(folder);
    for (const int64_t layer : {2, 3}) {
      const at::Tensor linear = testing::activation_by_hand(*network, images, layer, true),
                       input = testing::activation_by_hand(*network, images, layer);
      for (const auto& [prefix, values] : std::vector<std::pair<std::string, at::Tensor>>{
               {"linear_", linear}, {"", input}, {"output_", input.relu()}}) {
        const double skewness = lower_median(values, [](const ShapeOfValues& m) { return m.skewness; });
        const double kurtosis = lower_median(values, [](const ShapeOfValues& m) { return m.kurtosis; });
        EXPECT_NEAR(*reader.scalar_at({"shape", layer, prefix + "skewness"}, 3), skewness, 1e-3) << norm << prefix;
        EXPECT_NEAR(*reader.scalar_at({"shape", layer, prefix + "kurtosis"}, 3), kurtosis, 1e-3) << norm << prefix;
      }
      // BN moves and scales a channel, which changes neither.
      EXPECT_NEAR(*reader.scalar_at({"shape", layer, "linear_skewness"}, 3),
                  *reader.scalar_at({"shape", layer, "skewness"}, 3), 1e-3);
      EXPECT_GT(*reader.scalar_at({"shape", layer, "output_skewness"}, 3), 0.1) << norm;
    }
  }
}

}  // namespace
}  // namespace bnlab
