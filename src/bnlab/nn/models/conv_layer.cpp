#include "bnlab/nn/models/conv_layer.h"

namespace bnlab {

ConvLayer::ConvLayer(int64_t in_channels, int64_t out_channels, const NormChoice& norm)
    : conv_(torch::nn::Conv2dOptions(in_channels, out_channels, 3).padding(1)),
      norm_(norm.make(out_channels)),
      after_activation_(norm.after_activation) {
  register_module("conv", conv_);
  if (norm_) register_module("norm", norm_);
}

at::Tensor ConvLayer::forward(const at::Tensor& x, int64_t number, const Tap& tap) {
  const auto show = [&](TapPoint point, at::Tensor& value) {
    if (tap) tap(number, point, value);
  };
  at::Tensor y = conv_->forward(x);
  // In one pass, unless somebody looks at the value in between.
  if (norm_ && !after_activation_ && !tap) return norm_->forward_relu(y);
  show(TapPoint::kLinear, y);
  if (norm_ && !after_activation_) y = norm_->forward(y);
  show(TapPoint::kActivationInput, y);
  y = at::relu(y);
  if (norm_ && after_activation_) y = norm_->forward(y);
  show(TapPoint::kOutput, y);
  return y;
}

int64_t ConvLayer::macs(int64_t height, int64_t width) const {
  return conv_->weight.numel() * height * width;
}

}  // namespace bnlab
