#include "bnlab/probes/moments_by_depth.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::ProbesTest;
using testing::small_dataset;
using testing::small_spec;

struct MeanAndSpread {
  double mean, spread;
};
MeanAndSpread over_channels(const std::vector<double>& values) {
  double mean = 0, squares = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  for (const double value : values) squares += std::pow(value - mean, 2) / static_cast<double>(values.size());
  return {mean, std::sqrt(squares)};
}

/// |mean| and variance of each channel of (N,C,H,W), element by element.
std::pair<std::vector<double>, std::vector<double>> channel_moments(const at::Tensor& values) {
  std::pair<std::vector<double>, std::vector<double>> moments;
  for (int64_t channel = 0; channel < values.size(1); ++channel) {
    const at::Tensor one = values.select(1, channel).to(at::kDouble).contiguous();
    const auto* x = one.data_ptr<double>();
    const auto n = static_cast<double>(one.numel());
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < one.numel(); ++i) mean += x[i] / n;
    for (int64_t i = 0; i < one.numel(); ++i) variance += (x[i] - mean) * (x[i] - mean) / n;
    moments.first.push_back(std::abs(mean));
    moments.second.push_back(variance);
  }
  return moments;
}

TEST_F(ProbesTest, MomentsByDepthAreThoseOfChannels) {
  for (const char* norm : {"none", "batch"}) {
    const TrainSpec spec = small_spec(norm, 3);
    const Json parameters = {{"layers", {1, 3}}, {"images", 16}, {"places", {"linear", "activation-input", "output"}}};
    const auto folder = run(spec, {{"moments-by-depth", 0, 100, true, parameters}});
    const auto network = trained(folder, spec);
    at::NoGradGuard no_grad;
    const at::Tensor images = TrainingData(small_dataset(), spec).evaluation_loader(true, 16).next().x;
    RunReader reader(folder);
    for (const int64_t layer : {1, 3}) {
      const at::Tensor linear = testing::activation_by_hand(*network, images, layer, true),
                       input = testing::activation_by_hand(*network, images, layer);
      for (const auto& [prefix, values] :
           {std::pair("linear_", linear), std::pair("", input), std::pair("output_", input.relu())}) {
        SCOPED_TRACE(std::string(norm) + " " + std::to_string(layer) + " " + prefix);
        const auto [means, variances] = channel_moments(values);
        const MeanAndSpread mean = over_channels(means), variance = over_channels(variances);
        const auto recorded = [&](const char* name) {
          return reader.scalar_at({"moments-by-depth", layer, prefix + std::string(name)}, spec.steps).value_or(NAN);
        };
        EXPECT_NEAR(recorded("mean"), mean.mean, 1e-5);
        EXPECT_NEAR(recorded("mean_spread"), mean.spread, 1e-5);
        EXPECT_NEAR(recorded("variance") / variance.mean, 1, 1e-4);
        EXPECT_NEAR(recorded("variance_spread") / variance.spread, 1, 1e-4);
      }
    }
  }
}

}  // namespace
}  // namespace bnlab
