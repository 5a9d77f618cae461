#include "bnlab/nn/models/layer.h"

#include <ATen/ATen.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>
#include <cmath>

namespace bnlab {

LinearMap convolution(int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  torch::nn::Conv2d conv(torch::nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2));
  return {"conv", conv.ptr(), [conv](const at::Tensor& x) mutable { return conv->forward(x); }, out};
}

LinearMap dense(int64_t in, int64_t out, bool bias) {
  torch::nn::Linear linear(torch::nn::LinearOptions(in, out).bias(bias));
  return {"linear", linear.ptr(), [linear](const at::Tensor& x) mutable { return linear->forward(x.flatten(1)); }, out};
}

// Without an activation the normalization ends what the activation would get.
Layer::Layer(LinearMap map, std::shared_ptr<Norm> norm, bool after_activation, Activation activation)
    : map_(std::move(map)),
      norm_(std::move(norm)),
      after_activation_(after_activation && activation != Activation::kNone),
      activation_(activation) {
  register_module(map_.name, map_.module);
  if (norm_) register_module("norm", norm_);
}

Layer::Layer(LinearMap map, const NormChoice& norm, Activation activation)
    : Layer(map, norm.make(map.outputs), norm.after_activation, activation) {}

at::Tensor Layer::forward(const at::Tensor& x, int64_t number, const Tap& tap, const at::Tensor& shortcut) {
  const auto show = [&](TapPoint point, at::Tensor& value) {
    if (tap) tap(number, point, value);
  };
  at::Tensor y = map_.apply(x);
  const bool norm_first = norm_ && !after_activation_;
  // In one pass, unless somebody looks at the value in between.
  if (norm_first && activation_ == Activation::kRelu && !tap) {
    return shortcut.defined() ? norm_->forward_add_relu(y, shortcut) : norm_->forward_relu(y);
  }
  show(TapPoint::kLinear, y);
  if (norm_first) y = norm_->forward(y);
  if (shortcut.defined()) y = y + shortcut;
  show(TapPoint::kActivationInput, y);
  y = activated(y);
  if (norm_ && after_activation_) y = norm_->forward(y);
  show(TapPoint::kOutput, y);
  return y;
}

at::Tensor Layer::activated(const at::Tensor& y) const {
  switch (activation_) {
    case Activation::kNone:
      return y;
    case Activation::kRelu:
      return at::relu(y);
    case Activation::kSigmoid:
      return at::sigmoid(y);
    case Activation::kTanh:
      return at::tanh(y);
  }
  return y;
}

int64_t scaled_channels(int64_t channels, double width) {
  return std::max<int64_t>(1, std::lround(static_cast<double>(channels) * width));
}

}  // namespace bnlab
