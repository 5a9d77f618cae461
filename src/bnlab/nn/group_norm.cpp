#include "bnlab/nn/group_norm.h"

#include <ATen/ATen.h>

#include <cmath>

#include "bnlab/ops/batch_layout.h"

namespace bnlab {
namespace {

const OptionInfo kGroupEps = {
    .name = "eps", .value = 1e-5, .low = 0, .meaning = "added to the variance, in units of x squared"};

/// Gamma and beta of each channel; groups = 0: nothing is normalized.
class GroupNorm final : public Norm {
 public:
  GroupNorm(std::int64_t channels, std::int64_t groups, double eps) : groups_(groups), eps_(eps) {
    gamma_ = register_parameter("weight", at::ones({channels}));
    beta_ = register_parameter("bias", at::zeros({channels}));
  }

  at::Tensor forward(const at::Tensor& x) override {
    if (groups_ > 0) return at::group_norm(x, groups_, gamma_, beta_, eps_, /*cudnn_enabled=*/false);
    return at::addcmul(ops::per_channel(beta_, x.dim()), x, ops::per_channel(gamma_, x.dim()));
  }

 private:
  std::int64_t groups_;
  double eps_;
  at::Tensor gamma_, beta_;
};

}  // namespace

NormKind group_norm_kind() {
  return {"group",
          "group normalization",
          {{.name = "groups", .value = 8, .low = 1, .high = 1e6, .meaning = "groups of channels"}, kGroupEps},
          [](std::int64_t channels, const Options& options) -> std::shared_ptr<Norm> {
            const std::int64_t groups = std::lround(options.number("groups"));
            if (channels % groups != 0) {
              throw OptionError("norm.options.groups",
                                "the normalization group needs groups that divide the channels, not " +
                                    std::to_string(groups) + " groups of " + std::to_string(channels) + " channels");
            }
            return std::make_shared<GroupNorm>(channels, groups, options.number("eps"));
          }};
}

NormKind layer_norm_kind() {
  return {"layer",
          "layer normalization, all channels and positions of a sample",
          {kGroupEps},
          [](std::int64_t channels, const Options& options) -> std::shared_ptr<Norm> {
            return std::make_shared<GroupNorm>(channels, 1, options.number("eps"));
          }};
}

NormKind scale_kind() {
  return {"scale",
          "learned scale and shift by channel, no normalization",
          {},
          [](std::int64_t channels, const Options&) -> std::shared_ptr<Norm> {
            return std::make_shared<GroupNorm>(channels, 0, 0);
          }};
}

}  // namespace bnlab
