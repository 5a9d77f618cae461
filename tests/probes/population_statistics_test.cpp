#include "bnlab/probes/population_statistics.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::ProbesTest;
using testing::small_dataset;

/// One hidden layer: its BN gets a linear map of the images, so that ATen can do all of it by hand.
TrainSpec one_layer(int64_t steps) {
  TrainSpec spec = testing::small_spec("batch", steps);
  spec.data.pad_to = 0;
  spec.model.name = "mlp";
  spec.model.options = {{"layers", 1}, {"width", 6}};
  return spec;
}

struct Moments {
  at::Tensor mean, var;  // unbiased
};

Moments moments_of(Network& network, const at::Tensor& images) {
  const auto p = network.layer(1).named_parameters();
  at::Tensor weight, bias;
  for (const auto& item : p) {
    if (item.value().dim() == 2) weight = item.value().to(at::kDouble);
  }
  bias = at::zeros({weight.size(0)}, at::kDouble);  // as it was drawn: it shifts all means alike
  const at::Tensor values = at::linear(images.to(at::kDouble).contiguous().flatten(1), weight, bias);
  return {values.mean(0), values.var(0, /*unbiased=*/true)};
}

// With a rate of almost nothing the weights stay, so that every batch's moments can be had again afterwards.
TEST_F(ProbesTest, PopulationStatisticsFollowTheirDefinitionsBatchByBatch) {
  constexpr int64_t kSteps = 14;
  TrainSpec spec = one_layer(kSteps);
  spec.optimizer.lr = 1e-30;
  const auto folder = run(spec, {{"population-statistics", 0, 1, true, {{"examples", 40}, {"training", 64}}}});
  const at::NoGradGuard no_grad;
  const auto network = trained(folder, spec);
  const TrainingData data(small_dataset(), spec);
  const Moments exact = moments_of(*network, data.evaluation_loader(true, 64).next().x);
  Loader loader = data.training_loader();
  std::vector<Moments> batches;
  for (int64_t i = 0; i < kSteps; ++i) batches.push_back(moments_of(*network, loader.next().x));
  // The weight of each batch in an estimate, and of the start (0, 1).
  std::map<std::string, std::vector<double>> weights;
  for (int64_t i = 0; i < kSteps; ++i) {
    const auto age = static_cast<double>(kSteps - 1 - i);
    weights["momentum-0.1"].push_back(0.1 * std::pow(0.9, age));
    weights["momentum-0.01"].push_back(0.01 * std::pow(0.99, age));
    weights["cumulative"].push_back(1.0 / kSteps);
    weights["last-1"].push_back(age < 1 ? 1 : 0);
    weights["last-10"].push_back(age < 10 ? 0.1 : 0);
    weights["last-100"].push_back(1.0 / kSteps);
  }
  RunReader reader(folder);
  for (const auto& [name, of_batch] : weights) {
    SCOPED_TRACE(name);
    at::Tensor mean = at::zeros_like(exact.mean), var = at::zeros_like(exact.var);
    double start = 1;
    for (int64_t i = 0; i < kSteps; ++i) {
      mean += of_batch[i] * batches[i].mean;
      var += of_batch[i] * batches[i].var;
      start -= of_batch[i];
    }
    var += start;
    const double mean_error = ((mean - exact.mean).square() / exact.var).mean().sqrt().item<double>();
    const double log_variance = (var / exact.var).log().mean().item<double>();
    const auto at = [&](int64_t layer, const char* what) {
      return *reader.scalar_at({"population-statistics", layer, name + what}, kSteps);
    };
    // In one pass over batches of 16 the values of 64 images are the same as in one batch of 64.
    EXPECT_NEAR(at(1, "_mean_error"), mean_error, 1e-4);
    EXPECT_NEAR(at(0, "_mean_error"), mean_error, 1e-4);
    EXPECT_NEAR(at(1, "_log_variance"), log_variance, 1e-4);
  }
}

TEST_F(ProbesTest, PopulationStatisticsOfMomentumOneTenthAreTheLayersOwn) {
  const TrainSpec spec = one_layer(9);
  const auto folder = run(spec, {{"population-statistics", 0, 1, true, {{"examples", 40}, {"measure_every", 4}}},
                                 {"accuracy", 0, 4, true, {{"examples", 40}}}});
  RunReader reader(folder);
  EXPECT_EQ(reader.scalars({"population-statistics", 0, "exact_accuracy"}).steps, (std::vector<int64_t>{0, 4, 8, 9}));
  for (const int64_t step : {0, 4, 8, 9}) {
    EXPECT_EQ(*reader.scalar_at({"population-statistics", 0, "momentum-0.1_accuracy"}, step),
              *reader.scalar_at({"accuracy", 0, "test_accuracy"}, step))
        << step;
  }
}

}  // namespace
}  // namespace bnlab
