// Layers one behind the other: what the sequential models are, built from their plans.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "bnlab/nn/models/layer.h"
#include "bnlab/nn/network.h"

namespace bnlab {

class Chain : public SequentialNetwork {
 public:
  using Map = std::function<at::Tensor(const at::Tensor& x)>;

  /// macs: multiply-accumulates of an example in the layer.
  void append(std::shared_ptr<Layer> layer, int64_t macs);
  /// `map` stands behind the layer that was appended last, e.g. a pool.
  void append(Map map);
  /// `head` gives the outputs, and `behind` it where that is set. Without a head the last layer gives them.
  void end_with(const LinearMap& head, int64_t macs, Map behind = {});

  at::Tensor forward_layer(int64_t number, const at::Tensor& x, const Tap& tap) override;
  at::Tensor forward_head(const at::Tensor& x) override { return head_ ? head_(x) : x; }
  int64_t layers() const override { return static_cast<int64_t>(links_.size()); }
  torch::nn::Module& layer(int64_t number) override { return *links_.at(static_cast<size_t>(number - 1)).layer; }
  int64_t macs_per_example() const override { return macs_; }

 private:
  struct Link {
    std::shared_ptr<Layer> layer;
    Map behind;  ///< may be empty
  };

  std::vector<Link> links_;
  Map head_;
  int64_t macs_ = 0;
};

enum class Pool { kNone, kLargest, kMean };

/// A convolution of a model's plan: normalization and ReLU follow, then the pool, of 2×2 pixels.
struct PlannedConvolution {
  int64_t channels;  ///< at width 1
  int64_t kernel = 3;
  Pool pool = Pool::kNone;
};

/// Channels, and height and width, of what a network has at one place.
struct Maps {
  int64_t channels, size;
  int64_t values() const { return channels * size * size; }
};

/// Appends the convolutions of `plan` to a chain that gives `maps`; returns what it gives then.
Maps append_convolutions(Chain& chain, const std::vector<PlannedConvolution>& plan, double width,
                         const NormChoice& norm, Maps maps);

}  // namespace bnlab
