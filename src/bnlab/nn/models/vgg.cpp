#include "bnlab/nn/models/vgg.h"

#include <torch/nn/modules/linear.h>

#include <algorithm>
#include <cmath>

#include "bnlab/nn/models/conv_layer.h"

namespace bnlab {
namespace {

constexpr int64_t kPool = -1;
using Plan = std::vector<int64_t>;  // channels of a convolution at width 1, or kPool

const Plan kColumnA = {64, kPool, 128, kPool, 256, 256, kPool, 512, 512, kPool, 512, 512, kPool};
const Plan kColumnD = {64,    64,  kPool, 128, 128,   kPool, 256, 256, 256,
                       kPool, 512, 512,   512, kPool, 512,   512, 512, kPool};

class Vgg : public SequentialNetwork {
 public:
  Vgg(const Plan& plan, double width, int64_t pools, const NormChoice& norm, const TaskShape& shape) {
    int64_t channels = shape.channels, size = shape.size;
    for (const int64_t entry : plan) {
      if (entry == kPool) {
        if (--pools < 0) continue;
        size /= 2;
        pool_after_.back() = true;
        continue;
      }
      const int64_t out = std::max<int64_t>(1, std::lround(static_cast<double>(entry) * width));
      layers_.push_back(std::make_shared<ConvLayer>(channels, out, norm));
      pool_after_.push_back(false);
      register_module("layer" + std::to_string(layers_.size()), layers_.back());
      macs_ += layers_.back()->macs(size, size);
      channels = out;
    }
    head_ = register_module("head", torch::nn::Linear(channels * size * size, shape.classes));
    macs_ += head_->weight.numel();
  }

  at::Tensor forward_layer(int64_t number, const at::Tensor& x, const Tap& tap) override {
    const auto index = static_cast<size_t>(number - 1);
    const at::Tensor y = layers_.at(index)->forward(x, number, tap);
    return pool_after_[index] ? at::max_pool2d(y, {2, 2}) : y;
  }
  at::Tensor forward_head(const at::Tensor& x) override { return head_->forward(x.flatten(1)); }

  int64_t layers() const override { return static_cast<int64_t>(layers_.size()); }
  torch::nn::Module& layer(int64_t number) override { return *layers_.at(static_cast<size_t>(number - 1)); }
  int64_t macs_per_example() const override { return macs_; }

 private:
  std::vector<std::shared_ptr<ConvLayer>> layers_;
  std::vector<bool> pool_after_;
  torch::nn::Linear head_{nullptr};
  int64_t macs_ = 0;
};

ModelKind vgg_kind(const std::string& name, const std::string& title, const Plan& plan) {
  const std::vector<OptionInfo> options = {
      {.name = "width", .value = 1, .low = 1e-3, .high = 16, .meaning = "channels relative to the original's"},
      {.name = "pools", .value = 5, .low = 0, .high = 5, .meaning = "max-pools that are kept, the first ones"}};
  return {name, title, options, [=](const Options& given, const NormChoice& norm, const TaskShape& shape) {
            const int64_t pools = std::lround(given.number("pools")), least = int64_t{1} << pools;
            if (shape.size < least) {
              const std::string size = std::to_string(least);
              throw OptionError("pad_to", name + " with " + std::to_string(pools) + " pools needs images of at least " +
                                              size + "×" + size + ", not " + std::to_string(shape.size) +
                                              "; set data.pad_to to " + size + ", or fewer pools");
            }
            return std::make_shared<Vgg>(plan, given.number("width"), pools, norm, shape);
          }};
}

}  // namespace

ModelKind vgg11_kind() {
  return vgg_kind("vgg11", "VGG-A, 8 convolutions and one linear layer", kColumnA);
}
ModelKind vgg16_kind() {
  return vgg_kind("vgg16", "VGG with 13 convolutions and one linear layer", kColumnD);
}

}  // namespace bnlab
