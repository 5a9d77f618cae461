#include "bnlab/probes/unit_percentiles.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::ProbesTest;
using testing::small_dataset;
using testing::small_spec;

/// Of the values (N,C,H,W) of one channel: linear between its sorted values, of which the first is at 0 and the last at
/// 100.
double percentile_by_hand(const at::Tensor& values, int64_t channel, double percentile) {
  const at::Tensor one = values.select(1, channel).contiguous();
  std::vector<double> sorted(one.data_ptr<float>(), one.data_ptr<float>() + one.numel());
  std::sort(sorted.begin(), sorted.end());
  const double place = percentile * static_cast<double>(sorted.size() - 1) / 100;
  const auto low = static_cast<size_t>(place);
  const double share = place - static_cast<double>(low);
  return (1 - share) * sorted[low] + share * sorted[std::min(low + 1, sorted.size() - 1)];
}

TEST_F(ProbesTest, UnitPercentilesAreThoseOfEachUnit) {
  for (const char* norm : {"none", "batch"}) {
    const TrainSpec spec = small_spec(norm, 3);
    const auto folder = run(spec, {{"unit-percentiles",
                                    0,
                                    100,
                                    true,
                                    {{"layers", {2, 3}}, {"images", 16}, {"places", {"linear", "activation-input"}}}}});
    const auto network = trained(folder, spec);
    at::NoGradGuard no_grad;
    const at::Tensor images = TrainingData(small_dataset(), spec).evaluation_loader(true, 16).next().x;
    RunReader reader(folder);
    for (const int64_t layer : {2, 3}) {
      for (const bool linear : {true, false}) {
        const at::Tensor values = testing::activation_by_hand(*network, images, layer, linear);
        const std::string name = std::string(linear ? "linear_" : "") + "percentiles";
        const ArrayRecord record = reader.arrays({"unit-percentiles", layer, name}).back();
        ASSERT_EQ(record.shape, (std::vector<int64_t>{3, values.size(1)}));
        const std::vector<double> found = record.as_doubles();
        size_t i = 0;
        for (const double percentile : {15, 50, 85}) {
          for (int64_t unit = 0; unit < values.size(1); ++unit, ++i) {
            EXPECT_NEAR(found[i], percentile_by_hand(values, unit, percentile), 1e-4) << norm << layer << name << unit;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace bnlab
