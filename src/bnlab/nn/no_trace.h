// Looking at a network without leaving a trace.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <utility>
#include <vector>

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

}  // namespace bnlab
