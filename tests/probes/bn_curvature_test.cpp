#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::MomentTest;
using testing::small_spec;

// The curvature against a difference of the twin's gradients at two places along v. (The rest of Theorem 4.2 is checked
// by tests/independent.)
TEST_F(MomentTest, CurvatureIsTheChangeOfTheGradientAlongItself) {
  const TrainSpec spec = small_spec("none");
  RunReader reader = probed(spec, 2, "bn-curvature", {{"layers", {7}}, {"channels", 2}});
  EXPECT_LT(*reader.scalar_at({"bn-curvature", 7, "identity_error"}, 2), 1e-4);
  const testing::Moment at = moment(spec, 2);
  at.network->to(at::kDouble);
  at::Tensor shift;  // of y
  const auto gradient = [&] {
    at::Tensor y;
    const at::Tensor logits =
        at.network->forward(at.batch.x.to(at::kDouble), [&](int64_t layer, TapPoint point, at::Tensor& value) {
          if (layer != 7 || point != TapPoint::kLinear) return;
          y = (shift.defined() ? value + shift : value).detach().requires_grad_();
          value = at::batch_norm(y, {}, {}, {}, {}, true, 0.1, 0, false);
        });
    return torch::autograd::grad({at::cross_entropy_loss(logits, at.batch.y)}, {y}).front();
  };
  const at::Tensor g = gradient();
  const auto curvature = reader.arrays({"bn-curvature", 7, "curvature"}).front().as_doubles();
  ASSERT_EQ(curvature.size(), 2U);
  for (int64_t i = 0; i < 2; ++i) {
    const int64_t channel = i * g.size(1) / 2;
    at::Tensor v = at::zeros_like(g);
    v.select(1, channel).copy_(g.select(1, channel));
    const double step = 1e-4 / v.norm().item<double>();
    shift = step * v;
    const at::Tensor ahead = gradient();
    shift = -step * v;
    const double expected = ((ahead - gradient()) * v).sum().item<double>() / (2 * step);
    shift = at::Tensor();
    EXPECT_NEAR(curvature[static_cast<size_t>(i)] / expected, 1, 1e-3) << "channel " << channel;
  }
}

}  // namespace
}  // namespace bnlab
