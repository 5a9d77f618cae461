#include "bnlab/nn/synchronized_batch_norm.h"

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include <algorithm>
#include <utility>

#include "bnlab/nn/batch_moments.h"
#include "bnlab/ops/library.h"

namespace bnlab {
namespace {

using ops::if_defined;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
namespace dispatched = ops::dispatched;

/// The moments of all ranks' x, merged in the ranks' order; an empty x has none to add.
BatchMoments moments_of_all(Ranks& ranks, const at::Tensor& x) {
  const auto [mean, m2] = dispatched::channel_moments.call(x);
  const auto count = x.numel() / std::max<std::int64_t>(1, x.size(1));
  const at::Tensor own = at::cat({at::full({1}, static_cast<double>(count), mean.options()), mean, m2});
  const at::Tensor all = ranks.gather(own);
  BatchMoments moments;
  const std::int64_t channels = x.size(1);
  for (std::int64_t rank = 0; rank < ranks.size(); ++rank) {
    const at::Tensor part = all.select(0, rank);
    const auto values = static_cast<std::int64_t>(part[0].item<double>());
    if (values == 0) continue;
    moments.add(part.narrow(0, 1, channels), part.narrow(0, 1 + channels, channels) / static_cast<double>(values),
                values);
  }
  return moments;
}

/// The sums of all ranks' `values` (double), added in the ranks' order.
at::Tensor summed(Ranks& ranks, const at::Tensor& values) {
  const at::Tensor all = ranks.gather(values);
  at::Tensor sum = all.select(0, 0).clone();
  for (std::int64_t rank = 1; rank < ranks.size(); ++rank) sum += all.select(0, rank);
  return sum;
}

/// What the node of a forward pass, which is computed already, keeps for its backward pass.
struct Kept {
  at::Tensor y, mean, rstd, relu_mask;  // of size 0 without a ReLU
  std::int64_t count = 0;               // on all ranks
};

/// So that saved_data can hold it.
struct RanksHolder : torch::CustomClassHolder {
  explicit RanksHolder(std::shared_ptr<Ranks> ranks) : ranks(std::move(ranks)) {}
  std::shared_ptr<Ranks> ranks;
};

struct Node : torch::autograd::Function<Node> {
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const ops::OptionalTensor& gamma,
                            const ops::OptionalTensor& beta, const ops::OptionalTensor& addend, const Kept& kept,
                            const std::shared_ptr<Ranks>& ranks) {
    const auto wants = [](const ops::OptionalTensor& tensor) { return tensor.has_value() && tensor->requires_grad(); };
    ctx->save_for_backward({x, ops::value_or_undefined(gamma), kept.mean, kept.rstd,
                            kept.relu_mask.numel() > 0 ? kept.relu_mask : at::Tensor()});
    ctx->saved_data["count"] = kept.count;
    ctx->saved_data["wants"] = c10::List<bool>({x.requires_grad(), wants(gamma), wants(beta), wants(addend)});
    ctx->saved_data["ranks"] = c10::IValue::make_capsule(c10::make_intrusive<RanksHolder>(ranks));
    return kept.y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& dys) {
    TORCH_CHECK(!at::GradMode::is_enabled(),
                "synchronized batch normalization has no second derivatives; use local statistics (in training with "
                "one rank, or --rank-statistics local).");
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor &dy = dys[0], &x = saved[0], &gamma = saved[1], &mean = saved[2], &rstd = saved[3];
    const ops::OptionalTensor relu_mask = if_defined(saved[4]);
    const auto wants = ctx->saved_data["wants"].toBoolList();
    auto& ranks = *static_cast<RanksHolder&>(*ctx->saved_data["ranks"].toCapsule()).ranks;

    const auto [sum_dz, sum_dz_xhat] = dispatched::batch_norm_backward_sums.call(dy, x, mean, rstd, relu_mask);
    variable_list gradients(6);
    if (wants[0] || wants[3]) {
      const at::Tensor all = summed(ranks, at::stack({sum_dz, sum_dz_xhat}));
      std::tie(gradients[0], gradients[3]) =
          dispatched::batch_norm_backward_by_sums.call(dy, x, if_defined(gamma), mean, rstd, relu_mask, all[0], all[1],
                                                       ctx->saved_data["count"].toInt(), {wants[0], wants[3]});
    }
    // Parts of 16 bits have parameters of float.
    const auto parameter_type = gamma.defined()         ? gamma.scalar_type()
                                : x.element_size() == 2 ? at::kFloat
                                                        : x.scalar_type();
    if (wants[1]) gradients[1] = sum_dz_xhat.to(parameter_type);
    if (wants[2]) gradients[2] = sum_dz.to(parameter_type);
    return gradients;
  }
};

}  // namespace

SynchronizedOutput synchronized_batch_norm(const std::shared_ptr<Ranks>& ranks, const at::Tensor& x,
                                           const at::Tensor& gamma, const at::Tensor& beta, double eps,
                                           const ops::Epilogue& epilogue) {
  Kept kept;
  at::Tensor var_biased;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    const BatchMoments moments = moments_of_all(*ranks, x);
    TORCH_CHECK(moments.count() >= 2,
                "synchronized batch normalization: expected at least 2 values per channel on all ranks together, got ",
                moments.count(), "; use a larger batch.");
    kept.count = moments.count();
    kept.mean = moments.mean();
    var_biased = moments.var_biased();
    kept.rstd = (var_biased + eps).rsqrt();
    std::tie(kept.y, kept.relu_mask) =
        dispatched::batch_norm_evaluation.call(x, if_defined(gamma), if_defined(beta), kept.mean, kept.rstd,
                                               if_defined(epilogue.addend), epilogue.relu, /*save_mask=*/epilogue.relu);
  }
  const at::Tensor y = Node::apply(x, if_defined(gamma), if_defined(beta), if_defined(epilogue.addend), kept, ranks);
  return {{.y = y, .mean = kept.mean, .var_biased = var_biased}, kept.count};
}

}  // namespace bnlab
