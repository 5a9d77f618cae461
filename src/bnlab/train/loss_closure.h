// Looking at a network without leaving a trace, and a batch's loss as a function of the parameters.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

#include "bnlab/data/loader.h"
#include "bnlab/nn/network.h"

namespace bnlab {

/// Saves what a forward or backward pass may change beside its result (buffers such as running statistics, every
/// module's mode, the default random generator's state) and puts it back, to the bit, at the end of its scope.
class NoTrace {
 public:
  explicit NoTrace(Network& network);
  ~NoTrace();
  NoTrace(const NoTrace&) = delete;
  NoTrace& operator=(const NoTrace&) = delete;

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> buffers_;
  std::vector<std::pair<std::shared_ptr<torch::nn::Module>, bool>> modes_;
  at::Tensor random_state_;
};

/// Puts other values into parameters for the length of a scope.
class WithValues {
 public:
  /// `values`: one for each of the parameters, in their shapes; not changed.
  WithValues(std::vector<at::Tensor> parameters, const std::vector<at::Tensor>& values);
  ~WithValues();
  WithValues(const WithValues&) = delete;
  WithValues& operator=(const WithValues&) = delete;

 private:
  std::vector<at::Tensor> parameters_, own_;
};

/// parameters[i] - distance * direction[i], without a gradient of their own.
std::vector<at::Tensor> moved(const std::vector<at::Tensor>& parameters, const std::vector<at::Tensor>& direction,
                              double distance);

/// Mean cross-entropy of logits (N,classes) against labels (N); for targets (N,outputs) the sum of squared errors over
/// all, as Santurkar et al. 2018 have it for linear networks.
at::Tensor batch_loss(const at::Tensor& logits, const at::Tensor& labels);

/// The loss of one batch, in the network's own mode, as a function of all parameters. Every call leaves no trace.
class LossClosure {
 public:
  LossClosure(Network& network, const Batch& batch) : network_(network), batch_(batch) {}

  /// `parameters`: in the order and shapes of Network::parameters(); not changed.
  double loss(const std::vector<at::Tensor>& parameters) const;
  /// Loss and its gradient with respect to each of the parameters.
  std::pair<double, std::vector<at::Tensor>> loss_and_gradient(const std::vector<at::Tensor>& parameters) const;

 private:
  Network& network_;
  const Batch& batch_;
};

}  // namespace bnlab
