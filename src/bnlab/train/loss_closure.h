// A batch's loss as a function of the parameters.
#pragma once

#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

#include "bnlab/data/loader.h"
#include "bnlab/nn/network.h"
#include "bnlab/nn/no_trace.h"

namespace bnlab {

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
