// Running a TorchScript model over data, with a look at what goes into its batch normalization.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "bnlab/torchscript/script_graph.h"
#include "bnlab/torchscript/torchscript.h"

namespace bnlab::torchscript {

/// The tensor "inputs" (N,...), N >= 2. Throws ModelFileError.
at::Tensor load_inputs(const ScriptData& data);

/// Calls visit(batch) for `size` samples at a time; the last batch may have fewer.
void for_each_batch(const at::Tensor& inputs, std::int64_t size, const std::function<void(const at::Tensor&)>& visit);

/// forward() with a look at the inputs of layers. One pass at a time in the whole process.
class ObservedPass {
 public:
  /// Returns whether the pass may end here.
  using Look = std::function<bool(std::size_t norm, const at::Tensor& input)>;

  /// Throws ModelFileError if forward() takes other arguments than one tensor.
  explicit ObservedPass(const ScriptGraph& script);

  /// The output, or None if look() ended the pass. module: of the same class. Throws ModelFileError if it fails.
  c10::IValue run(const torch::jit::Module& module, const at::Tensor& batch, const Look& look) const;

 private:
  std::shared_ptr<torch::jit::Graph> graph_;
};

/// Largest |after - before| over all values of all output tensors, over the standard deviation of `before`. Both are in
/// evaluation mode. Throws ModelFileError if an output is no tensor or structure of tensors, or not finite in one
/// alone.
double output_change(const torch::jit::Module& before, const torch::jit::Module& after, const at::Tensor& inputs,
                     std::int64_t batch);

}  // namespace bnlab::torchscript
