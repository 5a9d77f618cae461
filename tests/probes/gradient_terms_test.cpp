#include "bnlab/probes/gradient_terms.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bnlab/probes/layer_weights.h"
#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::MomentTest;
using testing::small_spec;

struct SumsOfTerms {
  double absolute, sum;
};

/// Each term written down: dy (N,O,L) times patches (N,P,L) of what the layer gets, of convolutions with 3x3 and
/// padding 1.
SumsOfTerms terms_by_hand(const at::Tensor& x, const at::Tensor& dy, int64_t stride) {
  const at::Tensor patches =
                       at::im2col(x.detach().to(at::kDouble).contiguous(), {3, 3}, {1, 1}, {1, 1}, {stride, stride}),
                   d = dy.to(at::kDouble).flatten(2);
  const at::Tensor terms = d.unsqueeze(2) * patches.unsqueeze(1);  // (N,O,P,L)
  const std::vector<int64_t> over = {0, 3};
  return {terms.abs().sum(over).mean().item<double>(), terms.sum(over).abs().mean().item<double>()};
}

/// What each layer's convolution got and the gradient of what it gave, by taps; `pool_after`: layers behind which a
/// max-pool stands.
struct TappedLayers {
  std::vector<at::Tensor> inputs, gradients;

  TappedLayers(const testing::Moment& at, const std::vector<int64_t>& pool_after) {
    std::vector<at::Tensor> results;
    inputs.push_back(at.batch.x);
    const at::Tensor outputs = at.network->forward(at.batch.x, [&](int64_t layer, TapPoint point, const at::Tensor& y) {
      if (point == TapPoint::kLinear) results.push_back(y);
      if (point != TapPoint::kOutput) return;
      const bool pool = std::find(pool_after.begin(), pool_after.end(), layer) != pool_after.end();
      inputs.push_back(pool ? at::max_pool2d(y.detach(), {2, 2}) : y.detach());
    });
    gradients = torch::autograd::grad({at::cross_entropy_loss(outputs, at.batch.y)}, results);
  }
};

void expect_terms(RunReader& reader, int64_t layer, const SumsOfTerms& expected) {
  ASSERT_GT(expected.sum, 0) << layer;
  EXPECT_GT(expected.absolute, 1.01 * expected.sum) << "terms that cancel, or nothing is tested";
  EXPECT_NEAR(*reader.scalar_at({"gradient-terms", layer, "absolute"}, 2) / expected.absolute, 1, 1e-5) << layer;
  EXPECT_NEAR(*reader.scalar_at({"gradient-terms", layer, "sum"}, 2) / expected.sum, 1, 1e-4) << layer;
}

TEST_F(MomentTest, GradientTermsOfLayersInARow) {
  for (const char* norm : {"none", "batch"}) {
    const TrainSpec spec = small_spec(norm);
    const TappedLayers tapped(moment(spec, 2), {1, 2, 4, 6, 8});
    RunReader reader = probed(spec, 2, "gradient-terms", {{"layers", {1, 3, 6}}});
    for (const int64_t layer : {1, 3, 6}) {
      const auto place = static_cast<size_t>(layer - 1);
      expect_terms(reader, layer, terms_by_hand(tapped.inputs[place], tapped.gradients[place], 1));
    }
  }
}

// With shortcuts and strides; the sum of the terms is the gradient, which shows that the inputs are the right ones.
TEST_F(MomentTest, GradientTermsOfAResNet) {
  TrainSpec spec = small_spec("batch");
  spec.data.pad_to = 0;
  spec.model.name = "resnet20";
  spec.model.options = {{"width", 0.25}};
  const testing::Moment at = moment(spec, 2);
  const TappedLayers tapped(at, {});
  const auto gradients = at.gradients();
  const auto places = layer_parameters(*at.network);
  RunReader reader = probed(spec, 2, "gradient-terms", Json::object());
  for (int64_t layer = 1; layer <= 19; ++layer) {
    const auto place = static_cast<size_t>(layer - 1);
    const int64_t stride = layer == 8 || layer == 14 ? 2 : 1;
    const SumsOfTerms expected = terms_by_hand(tapped.inputs[place], tapped.gradients[place], stride);
    expect_terms(reader, layer, expected);
    EXPECT_NEAR(gradients[places[place].weight].abs().mean().item<double>() / expected.sum, 1, 1e-4) << layer;
  }
}

TEST_F(MomentTest, GradientTermsOfLinearMapsAreThoseOfImages) {
  TrainSpec spec = small_spec("none");
  spec.data.pad_to = 0;
  spec.model.name = "mlp";
  spec.model.options = {{"layers", 2}, {"width", 6}};
  const testing::Moment at = moment(spec, 2);
  const TappedLayers tapped(at, {});
  RunReader reader = probed(spec, 2, "gradient-terms", Json::object());
  for (const size_t place : {0, 1}) {
    const at::Tensor x = tapped.inputs[place].flatten(1).to(at::kDouble), dy = tapped.gradients[place].to(at::kDouble);
    at::Tensor absolute = at::zeros({dy.size(1), x.size(1)}, at::kDouble), sum = at::zeros_like(absolute);
    for (int64_t image = 0; image < x.size(0); ++image) {
      const at::Tensor term = dy[image].outer(x[image]);
      absolute += term.abs();
      sum += term;
    }
    expect_terms(reader, static_cast<int64_t>(place) + 1,
                 {absolute.mean().item<double>(), sum.abs().mean().item<double>()});
  }
}

}  // namespace
}  // namespace bnlab
