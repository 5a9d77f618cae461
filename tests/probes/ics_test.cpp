#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::MomentTest;
using testing::small_spec;

constexpr int64_t kLayers = 8;

// Every layer on its own: weights of the layers before it moved, one whole pass forward and back.
TEST_F(MomentTest, IcsIsTheChangeOfEachLayersGradientByTheLayersBeforeIt) {
  for (const char* norm : {"none", "batch"}) {
    const TrainSpec spec = small_spec(norm);
    RunReader reader = probed(spec, 3, "ics", Json::object());
    const testing::Moment at = moment(spec, 3);
    const auto before = at.gradients();
    for (int64_t number = 1; number <= kLayers; ++number) {
      const testing::Moment other = moment(spec, 3);
      const auto parameters = other.network->named_parameters();
      at::Tensor first, second;
      for (size_t i = 0; i < parameters.size(); ++i) {
        const std::string& name = parameters[i].key();
        const bool earlier = name.starts_with("layer") && std::stoll(name.substr(5)) < number;
        at::NoGradGuard no_grad;
        if (earlier) parameters[i].value().sub_(before[i], spec.optimizer.lr);
      }
      const auto after = other.gradients();
      for (size_t i = 0; i < parameters.size(); ++i) {
        if (parameters[i].key() != "layer" + std::to_string(number) + ".conv.weight") continue;
        first = before[i].to(at::kDouble), second = after[i].to(at::kDouble);
      }
      const double norm_first = first.norm().item<double>();
      const double l2 = *reader.scalar_at({"ics", number, "l2"}, 3);
      EXPECT_NEAR(l2, (first - second).norm().item<double>(), 2e-5 * norm_first + 1e-4 * l2) << norm << number;
      EXPECT_NEAR(*reader.scalar_at({"ics", number, "cosine"}, 3),
                  at::cosine_similarity(first.flatten(), second.flatten(), 0).item<double>(), 1e-5);
      EXPECT_NEAR(*reader.scalar_at({"ics", number, "gradient_norm"}, 3) / norm_first, 1, 1e-5);
      if (number == 1) {
        EXPECT_LT(l2, 2e-5 * norm_first) << "no layer before the first";
      }
      if (number == kLayers) {
        EXPECT_GT(l2, 1e-2 * norm_first) << "the update does change something";
      }
    }
  }
}

}  // namespace
}  // namespace bnlab
