#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::ProbesTest;
using testing::small_dataset;
using testing::small_spec;

TEST_F(ProbesTest, ActivationsAreThoseOfTheNetwork) {
  for (const char* norm : {"none", "batch"}) {
    const TrainSpec spec = small_spec(norm, 3);
    const auto folder = run(
        spec, {{"activations",
                0,
                100,
                true,
                {{"layers", {2, 7}}, {"images", 16}, {"samples", 20000}, {"places", {"linear", "activation-input"}}}}});
    const auto network = trained(folder, spec);
    at::NoGradGuard no_grad;
    const at::Tensor images = TrainingData(small_dataset(), spec).evaluation_loader(true, 16).next().x;
    RunReader reader(folder);
    for (const auto& [layer, prefix] : std::vector<std::pair<int64_t, std::string>>{{2, ""}, {7, ""}, {2, "linear_"}}) {
      const at::Tensor expected =
          testing::activation_by_hand(*network, images, layer, !prefix.empty()).contiguous().flatten();
      const double deviation = expected.std(false).item<double>();
      EXPECT_NEAR(*reader.scalar_at({"activations", layer, prefix + "mean"}, 3), expected.mean().item<double>(),
                  1e-5 * deviation + 1e-7);
      EXPECT_NEAR(*reader.scalar_at({"activations", layer, prefix + "std"}, 3) / deviation, 1, 1e-5);
      const auto samples = reader.arrays({"activations", layer, prefix + "samples"}).back().as_doubles();
      EXPECT_TRUE(std::is_sorted(samples.begin(), samples.end()));
      // Sampled uniformly: its median lies between the 48th and 52nd percentile (20,000 samples: 5.6 standard errors).
      const at::Tensor sorted = std::get<0>(expected.sort());
      const auto at_share = [&](double q) {
        return sorted[static_cast<int64_t>(q * (sorted.numel() - 1))].item<double>();
      };
      EXPECT_GE(samples[10000], at_share(0.48)) << norm << layer;
      EXPECT_LE(samples[10000], at_share(0.52)) << norm << layer;
    }
  }
}

}  // namespace
}  // namespace bnlab
