// Batch normalization through libtorch as contenders of the benchmark: our operators, and PyTorch's.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "bnlab/kernels/batch_norm.h"

namespace bnlab::bench {

/// The arguments of all contenders, in one layout.
struct OperatorInputs {
  at::Tensor x, dy, addend, gamma, beta, running_mean, running_var;
  kernels::Fusion fusion;

  [[nodiscard]] bool relu() const { return fusion != kernels::Fusion::kNone; }
  [[nodiscard]] bool add() const { return fusion == kernels::Fusion::kAddRelu; }
};

/// The results of a training step, held while they are compared.
struct TrainingTensors {
  at::Tensor y, dx, dgamma, dbeta, daddend;
};

class Operators {
 public:
  explicit Operators(const OperatorInputs& inputs)
      : in_(inputs), running_mean_(inputs.running_mean.clone()), running_var_(inputs.running_var.clone()) {}
  virtual ~Operators() = default;
  virtual at::Tensor forward_training() = 0;
  virtual at::Tensor forward_evaluation() = 0;
  /// After a forward_training() whose result was kept by keep().
  virtual TrainingTensors backward() = 0;
  /// Runs forward_training() and keeps what the backward pass needs.
  virtual at::Tensor keep() = 0;

 protected:
  const OperatorInputs& in_;
  at::Tensor running_mean_, running_var_;  // its own: training changes them
};

/// The inputs have to outlive what is made.
[[nodiscard]] std::unique_ptr<Operators> make_our_operators(const OperatorInputs& inputs);
/// native_batch_norm, followed by at::add and at::relu, or by their forms in place.
[[nodiscard]] std::unique_ptr<Operators> make_pytorch_operators(const OperatorInputs& inputs, bool in_place);

}  // namespace bnlab::bench
