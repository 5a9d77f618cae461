// A linear map, a normalization and an activation function: the layer that every model is built of.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "bnlab/nn/model_list.h"

namespace bnlab {

/// A convolution or a linear layer of libtorch's, as a layer holds it.
struct LinearMap {
  std::string name;                           ///< of the submodule: "conv" or "linear"
  std::shared_ptr<torch::nn::Module> module;  ///< with its parameters
  std::function<at::Tensor(const at::Tensor& x)> apply;
  int64_t outputs;  ///< channels, or units
};

/// Maps have a bias where a normalization follows too, so that a network and its normalized twin have the same weights.
/// Convolution with an odd `kernel`, padding kernel/2. (N,in,H,W) to (N,out,⌈H/stride⌉,⌈W/stride⌉).
LinearMap convolution(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1);
/// (N,…) with `in` values an example to (N,out).
LinearMap dense(int64_t in, int64_t out, bool bias = true);

enum class Activation { kNone, kRelu, kSigmoid, kTanh };

class Layer : public torch::nn::Module {
 public:
  /// `norm` null: no normalization. The normalization stands before the activation, or behind it if `after_activation`.
  Layer(LinearMap map, std::shared_ptr<Norm> norm, bool after_activation, Activation activation);
  Layer(LinearMap map, const NormChoice& norm, Activation activation);

  /// Shows its values to `tap` as layer `number`. A defined `shortcut`, like the result, is added in front of the
  /// activation: the end of a residual block.
  at::Tensor forward(const at::Tensor& x, int64_t number, const Tap& tap, const at::Tensor& shortcut = {});

 private:
  at::Tensor activated(const at::Tensor& y) const;

  LinearMap map_;
  std::shared_ptr<Norm> norm_;
  bool after_activation_;
  Activation activation_;
};

/// `channels` of a paper's layer at a width relative to it, at least one.
int64_t scaled_channels(int64_t channels, double width);

}  // namespace bnlab
