// The operators of the two backward phases against the operator that does all at once.
#include "bnlab/ops/backward_phases.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bnlab/kernels/moments.h"
#include "bnlab/ops/library.h"

namespace bnlab::ops {
namespace {

using testing::HasSubstr;

constexpr double kEps = 1e-3;

/// The batch of a fused layer, cut into parts.
struct Parts {
  Parts(at::ScalarType type, bool channels_last) {
    x = at::randn({7, 5, 4, 3}, at::kDouble).mul(2).add(3).to(type);
    if (channels_last) x = x.contiguous(at::MemoryFormat::ChannelsLast);
    dy = at::randn_like(x);
    addend = at::randn_like(x);
    gamma = at::rand({5}, type == at::kDouble ? at::kDouble : at::kFloat).add(0.5);
    std::tie(y, mean, rstd, std::ignore, mask) =
        dispatched::batch_norm_training.call(x, gamma, c10::nullopt, addend, true, kEps, true);
  }
  at::Tensor x, dy, addend, gamma, y, mean, rstd, mask;
};

TEST(BackwardPhases, OverPartsGiveWhatTheWholeGives) {
  for (const auto type : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf}) {
    for (const bool channels_last : {false, true}) {
      const Parts whole(type, channels_last);
      const auto [dx, dgamma, dbeta, daddend] = dispatched::batch_norm_training_backward.call(
          whole.dy, whole.x, whole.gamma, whole.mean, whole.rstd, whole.mask, kEps, {true, true, true, true});
      std::vector<at::Tensor> masks;
      at::Tensor sum_dz = at::zeros({5}, at::kDouble), sum_dz_xhat = at::zeros({5}, at::kDouble);
      const std::vector<std::int64_t> starts = {0, 2, 2, 7};
      for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
        const auto part = [&](const at::Tensor& t) { return t.slice(0, starts[i], starts[i + 1]); };
        masks.push_back(std::get<1>(dispatched::batch_norm_evaluation.call(
            part(whole.x), whole.gamma, c10::nullopt, whole.mean, whole.rstd, part(whole.addend), true, true)));
        const auto [dz, dz_xhat] = dispatched::batch_norm_backward_sums.call(part(whole.dy), part(whole.x), whole.mean,
                                                                             whole.rstd, masks.back());
        sum_dz += dz;
        sum_dz_xhat += dz_xhat;
      }
      const double near = type == at::kDouble ? 1e-12 : 1e-5;
      EXPECT_TRUE(at::allclose(sum_dz.to(dbeta.scalar_type()), dbeta, near, near)) << type << channels_last;
      EXPECT_TRUE(at::allclose(sum_dz_xhat.to(dgamma.scalar_type()), dgamma, near, near)) << type << channels_last;
      for (std::size_t i = 0; i < masks.size(); ++i) {
        const auto part = [&](const at::Tensor& t) { return t.slice(0, starts[i], starts[i + 1]); };
        const auto [dx_part, daddend_part] = dispatched::batch_norm_backward_by_sums.call(
            part(whole.dy), part(whole.x), whole.gamma, whole.mean, whole.rstd, masks[i], sum_dz, sum_dz_xhat, 7 * 12,
            {true, true});
        const double rounding = type == at::kBFloat16 ? 1e-2 : type == at::kHalf ? 2e-3 : near;
        EXPECT_TRUE(at::allclose(dx_part, part(dx), rounding, rounding)) << type << channels_last << i;
        EXPECT_TRUE(at::equal(daddend_part, part(daddend))) << type << channels_last << i;
      }
    }
  }
}

TEST(BackwardPhases, ServeWhatIsBeyondTheRangeOfTheKernels) {
  const at::Tensor x = at::randn({6, 3}) * 1e20, dy = at::randn({6, 3});
  const at::Tensor wide = x.to(at::kDouble), mean = wide.mean(0), rstd = wide.var(0, false).rsqrt();
  const auto [sum_dz, sum_dz_xhat] = dispatched::batch_norm_backward_sums.call(dy, x, mean, rstd, c10::nullopt);
  const at::Tensor xhat = (wide - mean) * rstd, dz = dy.to(at::kDouble);
  EXPECT_TRUE(at::allclose(sum_dz_xhat, (dz * xhat).sum(0), 1e-12, 0));
  const auto [dx, none] = dispatched::batch_norm_backward_by_sums.call(dy, x, c10::nullopt, mean, rstd, c10::nullopt,
                                                                       sum_dz, sum_dz_xhat, 6, {true, false});
  const at::Tensor expected = rstd * (dz - dz.mean(0) - xhat * (dz * xhat).mean(0));
  EXPECT_TRUE(at::allclose(dx.to(at::kDouble), expected, 1e-5, 0));
  EXPECT_FALSE(none.defined());
}

TEST(BackwardPhases, RefuseWhatTheyCannotDoRight) {
  const Parts t(at::kFloat, false);
  const at::Tensor sums = at::zeros({5}, at::kDouble);
  const auto message = [&](const at::Tensor& dy, const at::Tensor& sum, std::int64_t count) -> std::string {
    try {
      (void)dispatched::batch_norm_backward_by_sums.call(dy, t.x, t.gamma, t.mean, t.rstd, t.mask, sum, sums, count,
                                                         {true, false});
    } catch (const c10::Error& error) {
      return error.what_without_backtrace();
    }
    return "no error";
  };
  EXPECT_EQ(message(t.dy, sums, 84), "no error");
  EXPECT_THAT(message(t.dy, sums, 83), HasSubstr("at least the 84 of this one, got 83"));
  EXPECT_THAT(message(t.dy, at::zeros({5}), 84), HasSubstr("sum_dz"));
  EXPECT_THAT(message(t.dy.slice(0, 0, 3), sums, 84), HasSubstr("dy"));
  EXPECT_THAT(message(t.dy.clone().requires_grad_(), sums, 84), HasSubstr("dy"));
}

}  // namespace
}  // namespace bnlab::ops
