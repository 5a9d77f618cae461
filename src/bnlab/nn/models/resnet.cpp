#include "bnlab/nn/models/resnet.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/nn/modules/linear.h>

#include <array>

#include "bnlab/nn/models/layer.h"

namespace bnlab {
namespace {

constexpr std::array<int64_t, 3> kStageChannels = {16, 32, 64};  // at width 1

/// A block's input as its end adds it: every stride-th row and column, zeros in the channels that x does not have.
at::Tensor identity_shortcut(const at::Tensor& x, int64_t channels, int64_t stride) {
  const int64_t lacking = channels - x.size(1);
  if (stride == 1 && lacking == 0) return x;
  const at::Tensor rows = x.slice(2, c10::nullopt, c10::nullopt, stride);
  return at::constant_pad_nd(rows.slice(3, c10::nullopt, c10::nullopt, stride), {0, 0, 0, 0, 0, lacking});
}

/// Two layers and the shortcut around them.
struct Block {
  std::shared_ptr<Layer> first, second;
  int64_t channels, stride;
};

class ResNet : public Network {
 public:
  ResNet(int64_t blocks_per_stage, double width, const NormChoice& norm, const TaskShape& shape) {
    int64_t channels = scaled_channels(kStageChannels.front(), width), size = shape.size;
    stem_ = add_layer(shape.channels, channels, 1, norm, size);
    for (size_t stage = 0; stage < kStageChannels.size(); ++stage) {
      const int64_t out = scaled_channels(kStageChannels[stage], width);
      for (int64_t i = 0; i < blocks_per_stage; ++i) {
        const int64_t stride = stage > 0 && i == 0 ? 2 : 1;
        size = (size + stride - 1) / stride;
        const auto first = add_layer(channels, out, stride, norm, size);
        blocks_.push_back({first, add_layer(out, out, 1, norm, size), out, stride});
        channels = out;
      }
    }
    head_ = register_module("head", torch::nn::Linear(channels, shape.classes));
    macs_ += head_->weight.numel();
  }

  at::Tensor forward(const at::Tensor& x, const Tap& tap) override {
    int64_t number = 1;
    at::Tensor y = stem_->forward(x, number, tap);
    for (const Block& block : blocks_) {
      const at::Tensor inner = block.first->forward(y, ++number, tap);
      y = block.second->forward(inner, ++number, tap, identity_shortcut(y, block.channels, block.stride));
    }
    return head_->forward(y.mean({2, 3}));
  }

  int64_t layers() const override { return static_cast<int64_t>(layers_.size()); }
  torch::nn::Module& layer(int64_t number) override { return *layers_.at(static_cast<size_t>(number - 1)); }
  int64_t macs_per_example() const override { return macs_; }

 private:
  /// size: height and width of the layer's result.
  std::shared_ptr<Layer> add_layer(int64_t in, int64_t out, int64_t stride, const NormChoice& norm, int64_t size) {
    layers_.push_back(std::make_shared<Layer>(convolution(in, out, 3, stride), norm, Activation::kRelu));
    register_module("layer" + std::to_string(layers_.size()), layers_.back());
    macs_ += 9 * in * out * size * size;
    return layers_.back();
  }

  std::vector<std::shared_ptr<Layer>> layers_;
  std::shared_ptr<Layer> stem_;
  std::vector<Block> blocks_;
  torch::nn::Linear head_{nullptr};
  int64_t macs_ = 0;
};

ModelKind resnet_kind(int64_t blocks_per_stage) {
  const int64_t depth = 6 * blocks_per_stage + 2;
  const std::vector<OptionInfo> options = {{"width", 1, 1e-3, 16, "channels relative to the original's"}};
  return {fmt::format("resnet{}", depth),
          fmt::format("ResNet-{}, {} convolutions and one linear layer", depth, depth - 1), options,
          [=](const Options& given, const NormChoice& norm, const TaskShape& shape) {
            return std::make_shared<ResNet>(blocks_per_stage, given.number("width"), norm, shape);
          }};
}

}  // namespace

ModelKind resnet20_kind() {
  return resnet_kind(3);
}
ModelKind resnet32_kind() {
  return resnet_kind(5);
}
ModelKind resnet44_kind() {
  return resnet_kind(7);
}
ModelKind resnet56_kind() {
  return resnet_kind(9);
}
ModelKind resnet110_kind() {
  return resnet_kind(18);
}

}  // namespace bnlab
