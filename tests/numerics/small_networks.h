// Networks so small that their whole Hessian can be written down.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/nn/modules/linear.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bnlab/nn/models/layer.h"
#include "bnlab/numerics/mean_loss.h"
#include "bnlab/numerics/products.h"
#include "tests/nn/small_norm_options.h"

namespace bnlab::testing {

inline NormChoice norm_choice(const std::string& kind) {
  return {kind, false, small_norm_options(kind)};
}

/// 3 values, 4 hidden, tanh, 3 classes.
class SmallMlp : public Network {
 public:
  explicit SmallMlp(const std::string& norm) : norm_(norm_choice(norm).make(4)) {
    register_module("first", first_);
    if (norm_) register_module("norm", norm_);
    register_module("head", head_);
  }
  at::Tensor forward(const at::Tensor& x, const Tap&) override {
    const at::Tensor y = first_->forward(x);
    return head_->forward(at::tanh(norm_ ? norm_->forward(y) : y));
  }
  using Network::forward;
  int64_t layers() const override { return 1; }
  torch::nn::Module& layer(int64_t) override { return *first_; }
  int64_t macs_per_example() const override { return 24; }

 private:
  torch::nn::Linear first_{3, 4}, head_{4, 3};
  std::shared_ptr<Norm> norm_;
};

/// 1 channel of 3×3, two convolutions of 2 channels with ReLU, mean over positions, 3 classes.
class SmallConv : public Network {
 public:
  explicit SmallConv(const std::string& norm) : first_(convolutional(1, norm)), second_(convolutional(2, norm)) {
    register_module("first", first_);
    register_module("second", second_);
    register_module("head", head_);
  }
  at::Tensor forward(const at::Tensor& x, const Tap&) override {
    return head_->forward(second_->forward(first_->forward(x, 1, {}), 2, {}).mean({2, 3}));
  }
  using Network::forward;
  int64_t layers() const override { return 2; }
  torch::nn::Module& layer(int64_t number) override { return number == 1 ? *first_ : *second_; }
  int64_t macs_per_example() const override { return 9 * 9 * 6; }

 private:
  static std::shared_ptr<Layer> convolutional(int64_t channels, const std::string& norm) {
    return std::make_shared<Layer>(convolution(channels, 2, 3), norm_choice(norm), Activation::kRelu);
  }

  std::shared_ptr<Layer> first_, second_;
  torch::nn::Linear head_{2, 3};
};

/// Seeded parameters of all kinds, none of them at a special value, and statistics that are not those of a batch.
inline void draw_all(Network& network, uint64_t seed) {
  at::NoGradGuard no_grad;
  Random random(mix(seed, "parameters"));
  for (at::Tensor& p : network.parameters()) {
    p.copy_(normal_vector(p.numel(), random).view(p.sizes()) * 0.5 + (p.dim() == 1 ? 0.3 : 0.0));
  }
  for (at::Tensor& b : network.buffers()) {
    if (b.is_floating_point()) b.copy_(normal_vector(b.numel(), random).view(b.sizes()).square() + 0.3);
  }
}

/// `count` seeded examples.
inline WeightedBatch examples(const Network& network, int64_t count, uint64_t seed, double weight = 1) {
  Random random(mix(seed, "examples"));
  at::Tensor x = dynamic_cast<const SmallMlp*>(&network) ? normal_vector(count * 3, random).view({count, 3})
                                                         : normal_vector(count * 9, random).view({count, 1, 3, 3});
  at::Tensor y = at::empty({count}, at::kLong);
  for (int64_t i = 0; i < count; ++i) y[i] = static_cast<int64_t>(random.below(3));
  return {x, y, weight};
}

inline at::Tensor cross_entropy(const at::Tensor& outputs, const at::Tensor& y) {
  return at::cross_entropy_loss(outputs, y);
}

/// A network in double, "mlp" or "conv".
inline std::shared_ptr<Network> small_network(const std::string& model, const std::string& norm, uint64_t seed = 1) {
  std::shared_ptr<Network> network;
  if (model == "mlp") {
    network = std::make_shared<SmallMlp>(norm);
  } else {
    network = std::make_shared<SmallConv>(norm);
  }
  draw_all(*network, seed);
  make_double(*network);
  return network;
}

/// All of an operator, column by column.
inline at::Tensor whole_matrix(const LinearOperator& a) {
  const auto n = static_cast<size_t>(a.dimension);
  at::Tensor columns = at::empty({a.dimension, a.dimension}, at::kDouble);
  for (int64_t i = 0; i < a.dimension; ++i) {
    std::vector<double> unit(n, 0.0);
    unit[static_cast<size_t>(i)] = 1;
    a.apply(unit, {columns[i].data_ptr<double>(), n});
  }
  return columns.t().contiguous();
}

}  // namespace bnlab::testing
