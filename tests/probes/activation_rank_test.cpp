#include "bnlab/probes/activation_rank.h"

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

/// Between the rows of every two different images.
double cosine_by_hand(const at::Tensor& rows) {
  double sum = 0;
  int64_t pairs = 0;
  for (int64_t i = 0; i < rows.size(0); ++i) {
    for (int64_t j = 0; j < i; ++j, ++pairs) {
      sum += rows[i].dot(rows[j]).item<double>() / (rows[i].norm() * rows[j].norm()).item<double>();
    }
  }
  return sum / static_cast<double>(pairs);
}

TEST_F(ProbesTest, ActivationRankIsThatOfTheImagesValues) {
  for (const char* norm : {"none", "batch"}) {
    const TrainSpec spec = small_spec(norm, 3);
    const auto folder = run(spec, {{"activation-rank",
                                    0,
                                    100,
                                    true,
                                    {{"layers", {2, 5}}, {"images", 16}, {"places", {"linear", "activation-input"}}}}});
    const auto network = trained(folder, spec);
    at::NoGradGuard no_grad;
    const at::Tensor images = TrainingData(small_dataset(), spec).evaluation_loader(true, 16).next().x;
    RunReader reader(folder);
    for (const int64_t layer : {2, 5}) {
      for (const bool linear : {true, false}) {
        const at::Tensor rows = testing::activation_by_hand(*network, images, layer, linear).to(at::kDouble).flatten(1);
        const at::Tensor singular = at::linalg_svdvals(rows);
        const double rank = (singular.square().sum() / singular.square().max()).item<double>();
        const std::string prefix = linear ? "linear_" : "";
        EXPECT_GT(rank, 1.01);
        EXPECT_NEAR(*reader.scalar_at({"activation-rank", layer, prefix + "stable_rank"}, 3) / rank, 1, 1e-4);
        EXPECT_NEAR(*reader.scalar_at({"activation-rank", layer, prefix + "cosine"}, 3), cosine_by_hand(rows), 1e-4);
      }
    }
  }
}

TEST_F(ProbesTest, ActivationRankOfNothingIsNotANumber) {
  TrainSpec spec = small_spec("none", 1);
  spec.model.init_scale = 1e-30;  // values and biases of 0 in every layer but the first
  RunReader reader(run(spec, {{"activation-rank", 0, 1, false, {{"layers", {1, 8}}, {"images", 16}}}}));
  EXPECT_GE(*reader.scalar_at({"activation-rank", 1, "stable_rank"}, 0), 1);
  EXPECT_TRUE(std::isnan(reader.scalar_at({"activation-rank", 8, "stable_rank"}, 0).value_or(0)));
  EXPECT_TRUE(std::isnan(reader.scalar_at({"activation-rank", 8, "cosine"}, 0).value_or(0)));
}

}  // namespace
}  // namespace bnlab
