#include "bnlab/nn/models/dln.h"

#include <torch/nn/modules/linear.h>

#include <cmath>

namespace bnlab {
namespace {

class LinearLayer : public torch::nn::Module {
 public:
  LinearLayer(int64_t width, std::shared_ptr<Norm> norm) : norm_(std::move(norm)) {
    linear_ = register_module("linear", torch::nn::Linear(torch::nn::LinearOptions(width, width).bias(false)));
    if (norm_) register_module("norm", norm_);
  }

  at::Tensor forward(const at::Tensor& x, int64_t number, const Tap& tap) {
    at::Tensor y = linear_->forward(x);
    if (tap) tap(number, TapPoint::kLinear, y);
    if (norm_) y = norm_->forward(y);
    if (tap) {
      tap(number, TapPoint::kActivationInput, y);
      tap(number, TapPoint::kOutput, y);
    }
    return y;
  }

 private:
  torch::nn::Linear linear_{nullptr};
  std::shared_ptr<Norm> norm_;
};

class Dln : public SequentialNetwork {
 public:
  Dln(int64_t layers, int64_t normalized, int64_t width, const NormChoice& norm) : width_(width) {
    for (int64_t number = 1; number <= layers; ++number) {
      layers_.push_back(std::make_shared<LinearLayer>(width, number <= normalized ? norm.make(width) : nullptr));
      register_module("layer" + std::to_string(number), layers_.back());
    }
  }

  at::Tensor forward_layer(int64_t number, const at::Tensor& x, const Tap& tap) override {
    return layers_.at(static_cast<size_t>(number - 1))->forward(x.flatten(1), number, tap);
  }
  at::Tensor forward_head(const at::Tensor& x) override { return x; }

  int64_t layers() const override { return static_cast<int64_t>(layers_.size()); }
  torch::nn::Module& layer(int64_t number) override { return *layers_.at(static_cast<size_t>(number - 1)); }
  int64_t macs_per_example() const override { return layers() * width_ * width_; }

 private:
  int64_t width_;
  std::vector<std::shared_ptr<LinearLayer>> layers_;
};

}  // namespace

ModelKind dln_kind() {
  return {"dln",
          "deep linear network, square layers without activation and bias",
          {{.name = "layers", .value = 25, .low = 1, .high = 1000, .meaning = "linear layers"},
           {.name = "normalized",
            .value = 24,
            .low = 0,
            .high = 1000,
            .meaning = "layers with a normalization, the first ones"}},
          [](const Options& options, const NormChoice& norm, const TaskShape& shape) {
            const int64_t width = shape.channels * shape.size * shape.size;
            if (width != shape.classes) {
              throw OptionError(
                  "name", "the model dln needs --data linear, or other data with as many outputs as inputs, not " +
                              std::to_string(width) + " inputs and " + std::to_string(shape.classes) + " outputs");
            }
            return std::make_shared<Dln>(std::lround(options.number("layers")),
                                         std::lround(options.number("normalized")), width, norm);
          }};
}

}  // namespace bnlab
