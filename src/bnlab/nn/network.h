// A network of numbered layers, as the training loop and the probes see it.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <functional>
#include <string>

namespace bnlab {

/// A place in a layer at which its values can be seen.
enum class TapPoint {
  kLinear,           ///< what the convolution or linear map gives
  kActivationInput,  ///< what the activation function gets: the normalization's output where that stands before it
  kOutput,           ///< what the next layer gets
};

/// Called during a forward pass with each layer's values, layers counted from 1 in the order of application. What it
/// puts in the place of kLinear's or kActivationInput's value is what the pass goes on with.
using Tap = std::function<void(int64_t layer, TapPoint point, at::Tensor& value)>;

class Network : public torch::nn::Module {
 public:
  /// x: (N, channels, size, size) or (N, features). Returns (N, outputs). `tap` may be empty.
  virtual at::Tensor forward(const at::Tensor& x, const Tap& tap) = 0;
  at::Tensor forward(const at::Tensor& x) { return forward(x, {}); }

  /// Number of layers shown to taps (the head is not one of them).
  virtual int64_t layers() const = 0;
  /// The submodule of layer 1…layers(), with all of that layer's parameters.
  virtual torch::nn::Module& layer(int64_t number) = 0;
  /// Multiply-accumulates of one example's forward pass in convolutions and linear maps.
  virtual int64_t macs_per_example() const = 0;
};

/// A network whose layers stand one behind the other, so that a pass can begin or end at any of them.
class SequentialNetwork : public Network {
 public:
  at::Tensor forward(const at::Tensor& x, const Tap& tap) final;
  using Network::forward;

  /// What layer `number` + 1 (or the head) gets, from what layer `number` gets: the layer and, where one follows, a
  /// pool.
  virtual at::Tensor forward_layer(int64_t number, const at::Tensor& x, const Tap& tap) = 0;
  /// The outputs (N, outputs) from what the last layer gives.
  virtual at::Tensor forward_head(const at::Tensor& x) = 0;
  /// The outputs from what layer `number` gets.
  at::Tensor forward_from(int64_t number, const at::Tensor& x);
};

/// Draws every weight of `network` (tensors of two and more dimensions) from Glorot's distribution, sets biases to 0
/// and leaves scale parameters as they are. `kind`: "glorot-uniform" or "glorot-normal". Glorot & Bengio 2010, eq. 16.
/// What was drawn is multiplied by `scale`.
void init_parameters(Network& network, const std::string& kind, uint64_t seed, double scale = 1);

}  // namespace bnlab
