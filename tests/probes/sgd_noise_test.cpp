// SGD's errors against the closed form of linear regression, and where they must vanish. (With BN, sample by sample:
// tests/independent.)
#include "bnlab/probes/sgd_noise.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bnlab/numerics/gradient_errors.h"
#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::MomentTest;

constexpr int64_t kRegressed = 48, kDrawn = 500;

double noise(RunReader& run, const std::string& name) {
  return run.scalar_at({"sgd-noise", 0, name}, 0).value_or(NAN);
}

// The loss of example i is ‖Wxᵢ − yᵢ‖², so that its gradient is 2 (Wxᵢ − yᵢ) xᵢᵀ and a batch's is the mean of those.
TEST_F(MomentTest, SgdNoiseIsTheClosedFormOfLinearRegression) {
  const Dataset data = make_linear_task({});
  TrainSpec spec = testing::small_linear_spec("none", 1);
  spec.model.options = {{"layers", 1}, {"normalized", 0}};
  const Json parameters = {{"images", kRegressed}, {"batches", {1, 6, 24}}, {"draws", kDrawn}};
  RunReader run(testing::probed_run(temp_ / "linear", data, spec, {{"sgd-noise", 0, 1, false, parameters}}));

  const at::Tensor w = build_network(spec, TrainingData(data, spec).shape())->parameters()[0].to(at::kDouble).detach();
  const at::Tensor x = data.train.images.slice(0, 0, kRegressed).flatten(1).to(at::kDouble);
  const at::Tensor residuals = x.mm(w.t()) - data.train.labels.slice(0, 0, kRegressed).to(at::kDouble);
  const at::Tensor each = (2 * residuals.unsqueeze(2) * x.unsqueeze(1)).flatten(1), errors = each - each.mean(0);
  const double gradient2 = each.mean(0).square().sum().item<double>();
  const double c = errors.square().sum(1).mean().item<double>();
  EXPECT_NEAR(noise(run, "C") / c, 1, 1e-5);
  EXPECT_NEAR(noise(run, "fixed_gradient") / std::sqrt(gradient2), 1, 1e-5);
  const double planted = errors.slice(0, 0, kRegressed / 2).mean(0).square().sum().item<double>() / gradient2;
  EXPECT_NEAR(noise(run, "planted") / planted, 1, 1e-4);
  for (const int64_t size : {1, 6, 24}) {
    const std::string b = "_" + std::to_string(size);
    for (const bool replacement : {true, false}) {
      const std::string name = replacement ? "fixed_with_" : "fixed_without_";
      std::vector<at::Tensor> all;
      const auto squared = run.arrays({"sgd-noise", 0, name + "squared" + b}).front().as_doubles();
      for (int64_t rate = 0; rate < 3; ++rate) {
        std::vector<at::Tensor> rows;
        for (const auto& batch :
             drawn_batches(kRegressed, size, kDrawn, replacement, sgd_noise_key(spec.seed, 0, rate))) {
          rows.push_back(errors.index_select(0, at::tensor(batch, at::kLong)).mean(0));
        }
        all.push_back(at::stack(rows));
        const double alpha = spec.optimizer.lr * std::pow(10, rate - 1);
        const double expected = alpha * alpha * all.back().square().sum(1).mean().item<double>();
        EXPECT_NEAR(squared[static_cast<size_t>(rate)] / expected, 1, 1e-4);
      }
      const ErrorMoments moments = error_moments(at::cat(all));
      const double left = replacement ? 1 : static_cast<double>(kRegressed - size) / (kRegressed - 1);
      EXPECT_NEAR(noise(run, name + "ratio" + b) / (moments.squared * static_cast<double>(size) / c), 1, 1e-4);
      EXPECT_NEAR(noise(run, name + "ratio" + b) / left, 1, 0.1) << "α²C/|B|, of a sample of " << 3 * kDrawn;
      if (!replacement) continue;
      EXPECT_NEAR(noise(run, "fixed_bias2" + b), moments.bias2 / gradient2, 1e-5 * moments.squared / gradient2);
      EXPECT_NEAR(noise(run, "fixed_bias2_found" + b) / (kFound * moments.deviation / gradient2), 1, 0.1)
          << "the covariance of the batches that were drawn";
      EXPECT_LT(std::abs(noise(run, "fixed_bias2" + b)), noise(run, "fixed_bias2_found" + b));
      EXPECT_NEAR(noise(run, "planted_bias2" + b), planted, noise(run, "fixed_bias2_found" + b) + planted);
    }
  }
  EXPECT_GT(noise(run, "planted_bias2_24"), noise(run, "fixed_bias2_found_24"));
  EXPECT_LT(noise(run, "fixed_apart"), 1e-5);
  EXPECT_TRUE(std::isnan(noise(run, "batch_gradient"))) << "there is no BN";
}

// With BN's statistics held fixed, too, a batch's gradient is the mean of its samples', and the whole population has no
// error.
TEST_F(MomentTest, SgdNoiseOfTheWholePopulationIsNone) {
  const TrainSpec spec = testing::small_spec("batch", 3);
  RunReader run = probed(spec, 2, "sgd-noise", {{"images", 32}, {"batches", {2, 32}}, {"draws", 4}, {"seen", 128}});
  const auto at = [&](const std::string& name) { return run.scalar_at({"sgd-noise", 0, name}, 2).value_or(NAN); };
  EXPECT_LT(at("fixed_apart"), 1e-4);
  EXPECT_LT(std::abs(at("fixed_without_ratio_32")), 1e-5);
  for (const char* name : {"fixed_without_ratio_2", "fixed_with_ratio_32", "batch_with_ratio_32"}) {
    EXPECT_GT(at(name), 0.1) << name;
  }
  EXPECT_GT(std::abs(at("batch_gradient") / at("fixed_gradient") - 1), 1e-3);
}

TEST_F(MomentTest, SgdNoiseRefusesWhatItCannotDraw) {
  const auto refuses = [&](const std::string& norm, const Json& parameters) {
    EXPECT_THROW(probed(testing::small_spec(norm), 0, "sgd-noise", parameters), SpecError);
  };
  refuses("group", {{"images", 32}, {"batches", {2}}});
  refuses("none", {{"images", 65}, {"batches", {2}}});
  refuses("none", {{"images", 32}, {"batches", {33}}});
  refuses("none", {{"images", 32}, {"batches", {0}}});
}

}  // namespace
}  // namespace bnlab
