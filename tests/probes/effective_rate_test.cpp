#include "bnlab/probes/effective_rate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::MomentTest;
using testing::small_spec;

TEST_F(MomentTest, EffectiveRateIsOfEachLayersWeight) {
  for (const char* norm : {"none", "batch"}) {
    TrainSpec spec = small_spec(norm);
    spec.optimizer.weight_decay = 0.01;  // which is no part of the gradient
    const auto at = moment(spec, 2);
    const std::vector<at::Tensor> gradients = at.gradients();
    const auto parameters = at.network->named_parameters();
    const auto names = parameters.keys();
    RunReader reader = probed(spec, 2, "effective-rate", {{"layers", {1, 8}}});
    for (const int64_t layer : {1, 8}) {
      const std::string name = "layer" + std::to_string(layer) + ".conv.weight";
      const auto place = static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
      const at::Tensor w = parameters[name].detach().to(at::kDouble).flatten();
      const at::Tensor g = gradients.at(place).to(at::kDouble).contiguous().view_as(parameters[name]).flatten();
      const double length = testing::norm_of({w});
      const auto recorded = [&](const char* what) { return *reader.scalar_at({"effective-rate", layer, what}, 2); };
      EXPECT_NEAR(recorded("norm") / length, 1, 1e-5);
      EXPECT_NEAR(recorded("effective_rate") * length * length / spec.optimizer.lr, 1, 1e-5);
      const double cosine = w.dot(g).item<double>() / (length * testing::norm_of({g}));
      EXPECT_NEAR(recorded("cosine"), cosine, 1e-4) << norm << layer;
      // In front of BN the loss does not see the weights' scale, but for eps.
      if (norm == std::string("batch")) {
        EXPECT_LT(std::abs(cosine), 0.01);
      }
    }
    EXPECT_FALSE(reader.scalar_at({"effective-rate", 3, "norm"}, 2)) << "which nobody asked for";
  }
}

}  // namespace
}  // namespace bnlab
