// Convolution, normalization and ReLU: the layer that convolutional models are built of.
#pragma once

#include <torch/nn/modules/conv.h>

#include <memory>

#include "bnlab/nn/model_list.h"

namespace bnlab {

/// 3×3 convolution with bias (padding 1, stride 1), then norm and ReLU in the order that `norm` asks for.
/// The bias is kept where a normalization follows, so that a network and its normalized twin have the same weights.
class ConvLayer : public torch::nn::Module {
 public:
  ConvLayer(int64_t in_channels, int64_t out_channels, const NormChoice& norm);

  /// x: (N, in_channels, H, W). Returns (N, out_channels, H, W). Shows its values to `tap` as layer `number`.
  at::Tensor forward(const at::Tensor& x, int64_t number, const Tap& tap);

  int64_t macs(int64_t height, int64_t width) const;

 private:
  torch::nn::Conv2d conv_;
  std::shared_ptr<Norm> norm_;
  bool after_activation_;
};

}  // namespace bnlab
