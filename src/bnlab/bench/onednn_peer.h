// oneDNN's batch normalization primitive as a peer of the kernels: same data, outputs allocated before.
#pragma once

#include <dnnl.hpp>
#include <string>
#include <unordered_map>

#include "bnlab/bench/buffer.h"
#include "bnlab/bench/kernel_peer.h"
#include "bnlab/bench/shapes.h"

namespace bnlab::bench {

class OneDnnPeer final : public KernelPeer {
 public:
  /// As MakeKernelPeer. type: f32, bf16 or f16.
  /// Throws dnnl::error if oneDNN cannot do this on this machine.
  OneDnnPeer(const NamedShape& shape, const std::string& layout, dnnl::memory::data_type type, bool relu, double eps,
             const Inputs& inputs);

  void forward_training() override { execute(training_, training_args_); }
  void forward_evaluation() override { execute(evaluation_, evaluation_args_); }
  void backward() override { execute(backward_, backward_args_); }

  [[nodiscard]] std::string implementation() const override { return implementation_; }

  void get_y(void* to) const override { reorder_out(y_, to); }
  void get_dx(void* to) const override { reorder_out(dx_, to); }
  [[nodiscard]] const float* dgamma() const override { return dscale_.data(); }
  [[nodiscard]] const float* dbeta() const override { return dshift_.data(); }

 private:
  using Arguments = std::unordered_map<int, dnnl::memory>;
  dnnl::memory memory_of(const dnnl::memory::desc& description, Buffer<char>& buffer);
  void execute(const dnnl::primitive& primitive, const Arguments& arguments);
  void reorder_in(const void* from, dnnl::memory& to);
  void reorder_out(const dnnl::memory& from, void* to) const;
  void describe(const NamedShape& shape, const std::string& layout, dnnl::memory::data_type type);
  dnnl::batch_normalization_forward::primitive_desc forward(dnnl::prop_kind kind, float eps,
                                                            dnnl::normalization_flags flags);
  dnnl::batch_normalization_backward::primitive_desc backward(
      float eps, dnnl::normalization_flags flags, const dnnl::batch_normalization_forward::primitive_desc& training);
  void prepare_primitives(bool relu, double eps);

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  mutable dnnl::stream stream_{engine_};
  std::int64_t channels_ = 0;
  dnnl::memory::desc plain_, own_;
  Buffer<char> x_bytes_, dy_bytes_, y_bytes_, dx_bytes_, workspace_bytes_;
  Buffer<float> scale_, shift_, dscale_, dshift_, mean_, var_biased_, running_mean_, running_var_;
  dnnl::memory x_, dy_, y_, dx_;
  dnnl::batch_normalization_forward training_, evaluation_;
  dnnl::batch_normalization_backward backward_;
  Arguments training_args_, evaluation_args_, backward_args_;
  std::string implementation_;
};

}  // namespace bnlab::bench
