#include "bnlab/bench/onednn_peer.h"

#include <algorithm>

#include "bnlab/bench/results.h"

namespace bnlab::bench {
namespace {

using dnnl::batch_normalization_backward;
using dnnl::batch_normalization_forward;
using dnnl::memory;
using dnnl::normalization_flags;
using dnnl::prop_kind;

// A matrix is given as images of one pixel in NHWC: as a plain matrix (nc) oneDNN 2.6 runs code that is 5 to 20 times
// slower.
memory::format_tag tag_of(const std::string& layout) {
  if (layout == kBlocked) return memory::format_tag::nChw16c;
  return layout == kNchw ? memory::format_tag::nchw : memory::format_tag::nhwc;
}

}  // namespace

OneDnnPeer::OneDnnPeer(const NamedShape& shape, const std::string& layout, memory::data_type type, bool relu,
                       double eps, const Inputs& inputs)
    : channels_(shape.c) {
  describe(shape, layout, type);
  x_ = memory_of(own_, x_bytes_);
  dy_ = memory_of(own_, dy_bytes_);
  y_ = memory_of(own_, y_bytes_);
  dx_ = memory_of(own_, dx_bytes_);
  const auto c = static_cast<std::size_t>(channels_);
  scale_shift_ = Buffer<float>(2 * c);
  dscale_shift_ = Buffer<float>(2 * c);
  std::copy_n(inputs.gamma, c, scale_shift_.data());
  std::copy_n(inputs.beta, c, scale_shift_.data() + c);
  for (Buffer<float>* values : {&mean_, &var_biased_, &running_mean_, &running_var_}) *values = Buffer<float>(c);
  std::transform(inputs.running_mean, inputs.running_mean + c, running_mean_.data(),
                 [](double value) { return static_cast<float>(value); });
  std::transform(inputs.running_var, inputs.running_var + c, running_var_.data(),
                 [](double value) { return static_cast<float>(value); });
  prepare_primitives(relu, eps);
  reorder_in(inputs.x, x_);
  reorder_in(inputs.dy, dy_);
}

void OneDnnPeer::describe(const NamedShape& shape, const std::string& layout, memory::data_type type) {
  const memory::dims sizes = {shape.n, shape.c, shape.h, shape.w};
  plain_ = memory::desc(sizes, type, memory::format_tag::nchw);
  own_ = memory::desc(sizes, type, tag_of(layout));
}

memory OneDnnPeer::memory_of(const memory::desc& description, Buffer<char>& buffer) {
  buffer = Buffer<char>(description.get_size());
  return {description, engine_, buffer.data()};
}

// Scale and shift are given in one memory (use_scale_shift): oneDNN 2.6 runs the same code for both forms, and every
// 2.x knows this one.
void OneDnnPeer::prepare_primitives(bool relu, double eps) {
  const auto flags = relu ? normalization_flags::use_scale_shift | normalization_flags::fuse_norm_relu
                          : normalization_flags::use_scale_shift;
  const auto epsilon = static_cast<float>(eps);
  const batch_normalization_forward::primitive_desc training({prop_kind::forward_training, own_, epsilon, flags},
                                                             engine_);
  const batch_normalization_forward::primitive_desc evaluation(
      {prop_kind::forward_inference, own_, epsilon, flags | normalization_flags::use_global_stats}, engine_);
  const batch_normalization_backward::primitive_desc backward({prop_kind::backward, own_, own_, epsilon, flags},
                                                              engine_, training);
  training_ = batch_normalization_forward(training);
  evaluation_ = batch_normalization_forward(evaluation);
  backward_ = batch_normalization_backward(backward);
  implementation_ = training.impl_info_str();

  const memory::desc pairs({2, channels_}, memory::data_type::f32, memory::format_tag::nc);
  const auto vector = [&](const memory::desc& description, const Buffer<float>& values) {
    return memory(description, engine_, values.data());
  };
  const memory scale_shift = vector(pairs, scale_shift_);
  training_args_ = {{DNNL_ARG_SRC, x_},
                    {DNNL_ARG_DST, y_},
                    {DNNL_ARG_MEAN, vector(training.mean_desc(), mean_)},
                    {DNNL_ARG_VARIANCE, vector(training.variance_desc(), var_biased_)},
                    {DNNL_ARG_SCALE_SHIFT, scale_shift}};
  evaluation_args_ = {{DNNL_ARG_SRC, x_},
                      {DNNL_ARG_DST, y_},
                      {DNNL_ARG_MEAN, vector(evaluation.mean_desc(), running_mean_)},
                      {DNNL_ARG_VARIANCE, vector(evaluation.variance_desc(), running_var_)},
                      {DNNL_ARG_SCALE_SHIFT, scale_shift}};
  backward_args_ = {{DNNL_ARG_SRC, x_},
                    {DNNL_ARG_DIFF_DST, dy_},
                    {DNNL_ARG_DIFF_SRC, dx_},
                    {DNNL_ARG_MEAN, training_args_.at(DNNL_ARG_MEAN)},
                    {DNNL_ARG_VARIANCE, training_args_.at(DNNL_ARG_VARIANCE)},
                    {DNNL_ARG_SCALE_SHIFT, scale_shift},
                    {DNNL_ARG_DIFF_SCALE_SHIFT, vector(pairs, dscale_shift_)}};
  if (relu) {
    const memory workspace = memory_of(training.workspace_desc(), workspace_bytes_);
    training_args_[DNNL_ARG_WORKSPACE] = workspace;
    backward_args_[DNNL_ARG_WORKSPACE] = workspace;
  }
}

void OneDnnPeer::execute(const dnnl::primitive& primitive, const Arguments& arguments) {
  primitive.execute(stream_, arguments);
  stream_.wait();
}

void OneDnnPeer::reorder_in(const void* from, memory& to) {
  memory plain(plain_, engine_, const_cast<void*>(from));
  dnnl::reorder(plain, to).execute(stream_, plain, to);
  stream_.wait();
}

void OneDnnPeer::reorder_out(const memory& from, void* to) const {
  memory source = from, plain(plain_, engine_, to);
  dnnl::reorder(source, plain).execute(stream_, source, plain);
  stream_.wait();
}

}  // namespace bnlab::bench
