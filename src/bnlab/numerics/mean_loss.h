// The mean loss of some batches as a function of all of a network's parameters: value, gradient, Hessian.
//
// With BN these are two different functions (docs/batch-norm.md): in training, statistics are the batch's and so
// functions of the parameters; in evaluation they are constants. Tools that measure BN networks in evaluation mode only
// see the second one.
//
//     const MeanLoss loss(network, {{batch.x, batch.y}}, batch_loss, BnStatistics::kBatch);
//     const Eigenpairs top = top_eigenpairs(loss.hessian(), {.count = 3});
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <span>
#include <vector>

#include "bnlab/nn/network.h"
#include "bnlab/numerics/linear_operator.h"

namespace bnlab {

enum class BnStatistics {
  kBatch,       ///< training mode: each batch's own, differentiated with it. Noise layers draw
  kPopulation,  ///< evaluation mode: those that the network holds, constant. No noise
};

/// The loss, one number, of the network's outputs for one batch.
using LossFunction = std::function<at::Tensor(const at::Tensor& outputs, const at::Tensor& y)>;

struct WeightedBatch {
  at::Tensor x;  ///< as Network::forward takes it; of any floating type
  at::Tensor y;  ///< as the loss takes it
  double weight = 1;
};

/// Σ weight·loss / Σ weight over the batches.
///
/// Every call is at the parameters and running statistics that the network has then, in the parameters' own type, and
/// leaves no trace (NoTrace). Layers that draw random numbers get the same ones in every call: those that the default
/// generator would have given when the MeanLoss was made. So all calls speak of one function. All vectors are double,
/// the parameters one behind the other in the order of Network::parameters(). A parameter that the loss does not depend
/// on has gradient 0.
class MeanLoss {
 public:
  /// Throws c10::Error without batches, or with a weight that is not above 0. The network must outlive this and what
  /// hessian() returns.
  MeanLoss(Network& network, std::vector<WeightedBatch> batches, LossFunction loss, BnStatistics statistics);

  int64_t dimension() const;  ///< number of parameters' elements
  double value() const;
  std::vector<double> gradient() const;
  /// H v. `v` and `product`: dimension() elements.
  void hessian_product(std::span<const double> v, std::span<double> product) const;
  /// hessian_product() of a copy of this.
  LinearOperator hessian() const;

 private:
  class Scope;
  at::Tensor loss_of(const WeightedBatch& batch) const;

  Network& network_;
  std::vector<WeightedBatch> batches_;
  LossFunction loss_;
  BnStatistics statistics_;
  at::Tensor random_state_;
};

/// Tensors one behind the other, in double; e.g. a network's parameters, or a direction.
std::vector<double> flattened(const std::vector<at::Tensor>& tensors);

/// Makes all of the network's floating-point parameters and buffers double, in place, so that MeanLoss is exact to
/// rounding. The network itself then takes inputs of type double.
void make_double(Network& network);

}  // namespace bnlab
