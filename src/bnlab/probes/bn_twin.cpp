#include "bnlab/probes/bn_twin.h"

#include <functional>

namespace bnlab {
namespace {

/// Sets yhat, sigma and z from y.
using Normalize = std::function<void(TwinPass& pass)>;

TwinPass pass_with(const StepView& view, int64_t wanted, const Normalize& normalize) {
  TwinPass pass;
  const at::Tensor logits = view.network.forward(view.batch.x, [&](int64_t layer, TapPoint point, at::Tensor& value) {
    if (layer != wanted || point != TapPoint::kLinear) return;
    pass.y = value;
    normalize(pass);
    value = pass.z;
  });
  pass.loss = batch_loss(logits, view.batch.y);
  return pass;
}

at::Tensor mean_of_channels(const at::Tensor& y) {
  std::vector<int64_t> dims = {0};
  for (int64_t d = 2; d < y.dim(); ++d) dims.push_back(d);
  return y.mean(dims, /*keepdim=*/true);
}

void normalize_channels(TwinPass& pass) {
  const at::Tensor centered = pass.y - mean_of_channels(pass.y);
  pass.sigma = mean_of_channels(centered.square()).sqrt();
  pass.yhat = pass.z = centered / pass.sigma;
}

}  // namespace

TwinPass plain_pass(const StepView& view, int64_t layer) {
  return pass_with(view, layer, [](TwinPass& pass) { pass.z = pass.y; });
}

TwinPass twin_pass(const StepView& view, int64_t layer) {
  return pass_with(view, layer, normalize_channels);
}

TwinPass same_twin_pass(const StepView& view, int64_t layer) {
  return pass_with(view, layer, [](TwinPass& pass) {
    normalize_channels(pass);
    pass.z = pass.yhat * pass.sigma.detach() + mean_of_channels(pass.y).detach();
  });
}

std::vector<double> as_vector(const at::Tensor& values) {
  const at::Tensor dense = values.contiguous();
  return {dense.data_ptr<double>(), dense.data_ptr<double>() + dense.numel()};
}

}  // namespace bnlab
