#include "bnlab/nn/models/mlp.h"

#include <ATen/ATen.h>
#include <torch/nn/modules/linear.h>

#include <cmath>

namespace bnlab {
namespace {

using Activation = at::Tensor (*)(const at::Tensor&);

Activation activation_of(const std::string& word) {
  if (word == "sigmoid") return at::sigmoid;
  if (word == "tanh") return at::tanh;
  return at::relu;
}

class HiddenLayer : public torch::nn::Module {
 public:
  HiddenLayer(int64_t inputs, int64_t units, const std::string& activation, const NormChoice& norm)
      : norm_(norm.make(units)),
        after_activation_(norm.after_activation),
        is_relu_(activation == "relu"),
        activation_(activation_of(activation)) {
    linear_ = register_module("linear", torch::nn::Linear(inputs, units));
    if (norm_) register_module("norm", norm_);
  }

  at::Tensor forward(const at::Tensor& x, int64_t number, const Tap& tap) {
    const auto show = [&](TapPoint point, at::Tensor& value) {
      if (tap) tap(number, point, value);
    };
    at::Tensor y = linear_->forward(x);
    if (norm_ && !after_activation_ && is_relu_ && !tap) return norm_->forward_relu(y);
    show(TapPoint::kLinear, y);
    if (norm_ && !after_activation_) y = norm_->forward(y);
    show(TapPoint::kActivationInput, y);
    y = activation_(y);
    if (norm_ && after_activation_) y = norm_->forward(y);
    show(TapPoint::kOutput, y);
    return y;
  }

 private:
  torch::nn::Linear linear_{nullptr};
  std::shared_ptr<Norm> norm_;
  bool after_activation_, is_relu_;
  Activation activation_;
};

class Mlp : public SequentialNetwork {
 public:
  Mlp(const Options& options, const NormChoice& norm, const TaskShape& shape) {
    const int64_t width = std::lround(options.number("width"));
    int64_t inputs = shape.channels * shape.size * shape.size;
    for (int64_t number = 1; number <= std::lround(options.number("layers")); ++number) {
      layers_.push_back(std::make_shared<HiddenLayer>(inputs, width, options.word("activation"), norm));
      register_module("layer" + std::to_string(number), layers_.back());
      macs_ += inputs * width;
      inputs = width;
    }
    head_ = register_module("head", torch::nn::Linear(inputs, shape.classes));
    macs_ += inputs * shape.classes;
  }

  at::Tensor forward_layer(int64_t number, const at::Tensor& x, const Tap& tap) override {
    return layers_.at(static_cast<size_t>(number - 1))->forward(x.flatten(1), number, tap);
  }
  at::Tensor forward_head(const at::Tensor& x) override { return head_->forward(x.flatten(1)); }

  int64_t layers() const override { return static_cast<int64_t>(layers_.size()); }
  torch::nn::Module& layer(int64_t number) override { return *layers_.at(static_cast<size_t>(number - 1)); }
  int64_t macs_per_example() const override { return macs_; }

 private:
  std::vector<std::shared_ptr<HiddenLayer>> layers_;
  torch::nn::Linear head_{nullptr};
  int64_t macs_ = 0;
};

}  // namespace

ModelKind mlp_kind() {
  return {"mlp",
          "multilayer perceptron",
          {{.name = "layers", .value = 3, .low = 1, .high = 1000, .meaning = "hidden layers"},
           {.name = "width", .value = 100, .low = 1, .high = 1e5, .meaning = "units of a hidden layer"},
           {.name = "activation",
            .value = "relu",
            .meaning = "of the hidden layers",
            .choices = {"relu", "sigmoid", "tanh"}}},
          [](const Options& options, const NormChoice& norm, const TaskShape& shape) {
            return std::make_shared<Mlp>(options, norm, shape);
          }};
}

}  // namespace bnlab
