// The parts of a gradient against a projection by QR, and against libtorch's batch normalization in double.
#include "bnlab/analyses/bn_backward.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "bnlab/train/loss_closure.h"
#include "tests/analyses/analysed.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using testing::analysed;
using testing::small_spec;

double of_gradients(RunReader& run, int64_t layer, const std::string& name) {
  return run.scalar_at({"bn-backward", layer, name}, 0).value_or(NAN);
}

TEST(BnBackward, TakesOutTheProjectionOntoTwoDirections) {
  testing::TempFolder temp;
  const TrainSpec spec = small_spec("batch", 20);
  const auto run = analysed(temp.path(), spec, bn_backward_analysis(), {{"images", 24}});

  const TrainingData data(testing::small_dataset(), spec);
  const auto network = finished_network(RunReader(temp.path() / "input"), spec, data);
  const Batch batch = data.evaluation_loader(true, 24).next();
  const auto pass = testing::pass_of(*network, batch.x);
  const auto arriving = torch::autograd::grad({batch_loss(pass.outputs, batch.y)}, pass.out);
  double removed = 0, most_difference = 0;
  for (int64_t layer = 1; layer <= 8; ++layer) {
    SCOPED_TRACE(layer);
    const auto i = static_cast<size_t>(layer - 1);
    const BatchNorm& norm = norm_of(*network, layer);
    const at::Tensor gamma = norm.gamma().detach().to(at::kDouble), dy = arriving[i].to(at::kDouble);
    const at::Tensor x = pass.in[i].detach().to(at::kDouble).requires_grad_();
    const at::Tensor y = at::batch_norm(x, gamma, norm.beta().detach().to(at::kDouble), {}, {}, true, 0.1, 1e-5, false);
    const at::Tensor dx = torch::autograd::grad({y}, {x}, {dy}).front();
    EXPECT_NEAR(of_gradients(*run, layer, "size") / (dx.norm() / dy.norm()).item<double>(), 1, 1e-4);

    const at::Tensor rows = rows_of_channels(x.detach()), g = rows_of_channels(dy) * gamma.unsqueeze(1);
    double taken = 0, most_mean = 0;
    for (int64_t c = 0; c < rows.size(0); ++c) {
      const at::Tensor base = at::stack({at::ones_like(rows[c]), rows[c]}, 1);
      const at::Tensor q = std::get<0>(at::linalg_qr(base));
      taken += q.t().mv(g[c]).square().sum().item<double>();
      most_mean = std::max(most_mean, std::abs((g[c].sum() / g[c].norm()).item<double>()) / std::sqrt(rows.size(1)));
    }
    const double share = taken / g.square().sum().item<double>();
    EXPECT_NEAR((of_gradients(*run, layer, "mean_share") + of_gradients(*run, layer, "xhat_share")) / share, 1, 1e-3);
    EXPECT_NEAR(of_gradients(*run, layer, "arriving_mean"), most_mean, 1e-6);
    EXPECT_EQ(of_gradients(*run, layer, "values"), rows.size(1));
    for (const char* name : {"difference", "leaving_mean", "leaving_xhat"}) {
      EXPECT_TRUE(of_gradients(*run, layer, name) < 1e-3) << name;
    }
    EXPECT_TRUE(of_gradients(*run, layer, "arriving_xhat") > 1e-3);
    removed += std::log(share * static_cast<double>(rows.size(1)) / 2) / 8;
    most_difference = std::max(most_difference, of_gradients(*run, layer, "difference"));
  }
  EXPECT_NEAR(of_gradients(*run, 0, "removed"), removed, 1e-3);
  EXPECT_EQ(of_gradients(*run, 0, "difference"), most_difference);
}

TEST(BnBackward, ADivergedRunRecordsNothing) {
  testing::TempFolder temp;
  TrainSpec spec = small_spec("batch", 5);
  spec.divergence_loss = 1e-3;
  EXPECT_TRUE(std::isnan(of_gradients(*analysed(temp.path(), spec, bn_backward_analysis()), 0, "removed")));
}

TEST(BnBackward, TakesOneRunWithBnInFrontOfTheActivation) {
  testing::TempFolder temp;
  TrainSpec behind = small_spec("batch", 1);
  behind.model.norm.place = "after-activation";
  EXPECT_THROW(analysed(temp.path() / "behind", behind, bn_backward_analysis()), SpecError);
  EXPECT_THROW(analysed(temp.path() / "none", small_spec("none", 1), bn_backward_analysis()), SpecError);
  TrainSpec residual = small_spec("batch", 1);
  residual.model.name = "resnet20";
  residual.model.options = {};
  EXPECT_THROW(analysed(temp.path() / "residual", residual, bn_backward_analysis()), SpecError);
  EXPECT_THROW(bn_backward_analysis().complete({"bn-backward", {{"images", 1}}, {"a"}, 0, 1}), SpecError);
  EXPECT_THROW(bn_backward_analysis().complete({"bn-backward", Json::object(), {}, 0, 1}), SpecError);
}

}  // namespace
}  // namespace bnlab
