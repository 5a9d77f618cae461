#include "bnlab/probes/layer_gradients.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::MomentTest;
using testing::small_spec;

TEST_F(MomentTest, LayerGradientsAreThoseOfEachLayersWeight) {
  for (const char* norm : {"none", "batch"}) {
    const auto at = moment(small_spec(norm), 2);
    const std::vector<at::Tensor> gradients = at.gradients();
    const auto names = at.network->named_parameters().keys();
    RunReader reader = probed(small_spec(norm), 2, "layer-gradients", {{"layers", {1, 2, 8}}});
    for (const int64_t layer : {1, 2, 8}) {
      const auto place = std::find(names.begin(), names.end(), "layer" + std::to_string(layer) + ".conv.weight");
      ASSERT_NE(place, names.end());
      const double expected = testing::norm_of({gradients.at(static_cast<size_t>(place - names.begin()))});
      EXPECT_GT(expected, 0);
      EXPECT_NEAR(*reader.scalar_at({"layer-gradients", layer, "weight"}, 2) / expected, 1, 1e-4) << norm << layer;
    }
    EXPECT_FALSE(reader.scalar_at({"layer-gradients", 3, "weight"}, 2)) << "which nobody asked for";
  }
}

}  // namespace
}  // namespace bnlab
