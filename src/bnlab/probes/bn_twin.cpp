#include "bnlab/probes/bn_twin.h"

#include <ATen/core/grad_mode.h>

#include <functional>

namespace bnlab {
namespace {

/// Sets yhat, sigma and z from y.
using Normalize = std::function<void(TwinPass& pass)>;

TwinPass pass_with(const NetworkEnd& end, const Normalize& normalize) {
  TwinPass pass;
  const at::Tensor next = end.network.forward_layer(end.layer, end.input, [&](int64_t, TapPoint point, at::Tensor& y) {
    if (point != TapPoint::kLinear) return;
    pass.y = y;
    normalize(pass);
    y = pass.z;
  });
  pass.loss = batch_loss(end.network.forward_from(end.layer + 1, next), end.labels);
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

TwinPass plain_pass(const NetworkEnd& end) {
  return pass_with(end, [](TwinPass& pass) { pass.z = pass.y; });
}

TwinPass twin_pass(const NetworkEnd& end) {
  return pass_with(end, normalize_channels);
}

double same_twin_loss(const NetworkEnd& end) {
  at::NoGradGuard no_grad;
  return pass_with(end,
                   [](TwinPass& pass) {
                     normalize_channels(pass);
                     pass.z = pass.yhat * pass.sigma + mean_of_channels(pass.y);
                   })
      .loss.item<double>();
}

std::vector<at::Tensor> layer_inputs(SequentialNetwork& network, const at::Tensor& x) {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> inputs = {x};
  for (int64_t number = 1; number < network.layers(); ++number) {
    inputs.push_back(network.forward_layer(number, inputs.back(), {}));
  }
  return inputs;
}

std::vector<double> as_vector(const at::Tensor& values) {
  const at::Tensor dense = values.contiguous();
  return {dense.data_ptr<double>(), dense.data_ptr<double>() + dense.numel()};
}

}  // namespace bnlab
