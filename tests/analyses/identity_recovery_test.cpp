#include "bnlab/analyses/identity_recovery.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bnlab/train/checkpoint.h"
#include "tests/analyses/analysed.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using testing::small_dataset;
using testing::small_spec;

TrainSpec small_mlp(const std::string& norm = "none") {
  TrainSpec spec = small_spec(norm, 20);
  spec.model.name = "mlp";
  spec.model.options = {{"layers", 2}, {"width", 9}, {"activation", "sigmoid"}};
  spec.data.pad_to = 0;
  return spec;
}

/// The folder of the analysis.
std::filesystem::path inserted(const std::filesystem::path& folder, const TrainSpec& spec, const Json& parameters) {
  return testing::analysed(folder, spec, identity_recovery_analysis(), parameters)->paths().folder;
}

double recorded(RunReader& run, int64_t layer, const std::string& name) {
  return run.scalar_at({"identity-recovery", layer, name}, 0).value_or(NAN);
}

/// Outputs of the finished network of small_mlp() by matrices alone, each hidden layer standardized if asked for.
at::Tensor outputs_by_hand(const std::filesystem::path& folder, int64_t images, bool standardize) {
  const TrainSpec spec = small_mlp();
  const TrainingData data(small_dataset(), spec);
  const auto network = build_network(spec, data.shape());
  load_network(read_file(RunPaths{folder / "input"}.checkpoint()), *network);
  const auto parameters = network->named_parameters();
  at::Tensor x = data.evaluation_loader(true, images).next().x.contiguous().flatten(1).to(at::kDouble);
  for (const std::string layer : {"layer1.linear", "layer2.linear", "head"}) {
    x = x.matmul(parameters[layer + ".weight"].to(at::kDouble).t()) + parameters[layer + ".bias"].to(at::kDouble);
    if (layer == "head") break;
    if (standardize) x = (x - x.mean(0)) / (x.var(0, false) + 1e-5).sqrt();
    x = x.sigmoid();
  }
  return x;
}

TEST(IdentityRecovery, MeasuresWhatMatricesGive) {
  testing::TempFolder temp;
  RunReader run(inserted(temp.path(), small_mlp(), {{"images", 24}}));
  at::NoGradGuard no_grad;
  const at::Tensor plain = outputs_by_hand(temp.path(), 24, false), other = outputs_by_hand(temp.path(), 24, true);
  const double expected = ((other - plain).square().mean().sqrt() / plain.std(/*unbiased=*/false)).item<double>();
  EXPECT_NEAR(recorded(run, 0, "standardized") / expected, 1, 1e-4);
  for (int64_t layer = 0; layer <= 2; ++layer) {
    EXPECT_TRUE(recorded(run, layer, "recovered") <= 1e-4) << layer;
    EXPECT_TRUE(recorded(run, layer, "standardized") >= 0.01) << layer;
    if (layer == 0) continue;
    EXPECT_TRUE(recorded(run, layer, "mean") <= 1e-5) << layer;
    EXPECT_TRUE(recorded(run, layer, "variance") <= 1e-4) << layer;
  }
}

// The values of a convolution: channels are rows, not examples.
TEST(IdentityRecovery, HoldsForConvolutions) {
  testing::TempFolder temp;
  RunReader run(inserted(temp.path(), small_spec("none", 3), Json::object()));
  for (int64_t layer = 0; layer <= 8; ++layer) {
    EXPECT_TRUE(recorded(run, layer, "recovered") <= 1e-3) << layer;
    if (layer > 0) {
      EXPECT_TRUE(recorded(run, layer, "mean") <= 1e-4) << layer;
    }
  }
}

TEST(IdentityRecovery, ADivergedRunRecordsNothing) {
  testing::TempFolder temp;
  TrainSpec spec = small_spec("none", 50);
  spec.optimizer.lr = 1e6;
  RunReader run(inserted(temp.path(), spec, Json::object()));
  EXPECT_TRUE(std::isnan(recorded(run, 0, "recovered")));
}

TEST(IdentityRecovery, TakesOneRunWithoutNormalization) {
  const auto kind = identity_recovery_analysis();
  EXPECT_THROW(kind.complete({"identity-recovery", Json::object(), {}, 0, 1}), SpecError);
  EXPECT_THROW(kind.complete({"identity-recovery", {{"images", 1}}, {"a"}, 0, 1}), SpecError);
  EXPECT_EQ(kind.complete({"identity-recovery", Json::object(), {"a"}, 0, 1}), Json({{"images", 128}}));
  testing::TempFolder temp;
  EXPECT_THROW(inserted(temp.path(), small_mlp("batch"), Json::object()), SpecError);
}

}  // namespace
}  // namespace bnlab
