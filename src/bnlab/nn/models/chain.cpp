#include "bnlab/nn/models/chain.h"

#include <ATen/ATen.h>

namespace bnlab {

void Chain::append(std::shared_ptr<Layer> layer, int64_t macs) {
  links_.push_back({std::move(layer), {}});
  register_module("layer" + std::to_string(links_.size()), links_.back().layer);
  macs_ += macs;
}

void Chain::append(Map map) {
  links_.back().behind = std::move(map);
}

void Chain::end_with(const LinearMap& head, int64_t macs, Map behind) {
  register_module("head", head.module);
  head_ = head.apply;
  if (behind) head_ = [map = head.apply, behind](const at::Tensor& x) { return behind(map(x)); };
  macs_ += macs;
}

at::Tensor Chain::forward_layer(int64_t number, const at::Tensor& x, const Tap& tap) {
  const Link& link = links_.at(static_cast<size_t>(number - 1));
  const at::Tensor y = link.layer->forward(x, number, tap);
  return link.behind ? link.behind(y) : y;
}

Maps append_convolutions(Chain& chain, const std::vector<PlannedConvolution>& plan, double width,
                         const NormChoice& norm, Maps maps) {
  for (const PlannedConvolution& next : plan) {
    const int64_t out = scaled_channels(next.channels, width);
    chain.append(std::make_shared<Layer>(convolution(maps.channels, out, next.kernel), norm, Activation::kRelu),
                 next.kernel * next.kernel * maps.values() * out);
    maps.channels = out;
    if (next.pool == Pool::kNone) continue;
    maps.size /= 2;
    const bool largest = next.pool == Pool::kLargest;
    chain.append([=](const at::Tensor& x) { return largest ? at::max_pool2d(x, {2, 2}) : at::avg_pool2d(x, {2, 2}); });
  }
  return maps;
}

}  // namespace bnlab
