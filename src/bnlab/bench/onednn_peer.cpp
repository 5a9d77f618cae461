#include "bnlab/bench/onednn_peer.h"

#include <algorithm>
#include <optional>

#include "bnlab/bench/batch_data.h"
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

std::optional<memory::data_type> type_of(const std::string& element) {
  if (element == "f32") return memory::data_type::f32;
  if (element == "bf16") return memory::data_type::bf16;
  return element == "f16" ? std::optional(memory::data_type::f16) : std::nullopt;
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
  for (Buffer<float>* values :
       {&scale_, &shift_, &dscale_, &dshift_, &mean_, &var_biased_, &running_mean_, &running_var_}) {
    *values = Buffer<float>(c);
  }
  std::copy_n(inputs.gamma, c, scale_.data());
  std::copy_n(inputs.beta, c, shift_.data());
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

#if DNNL_VERSION_MAJOR >= 3
batch_normalization_forward::primitive_desc OneDnnPeer::forward(prop_kind kind, float eps, normalization_flags flags) {
  return {engine_, kind, own_, own_, eps, flags};
}
batch_normalization_backward::primitive_desc OneDnnPeer::backward(
    float eps, normalization_flags flags, const batch_normalization_forward::primitive_desc& training) {
  return {engine_, prop_kind::backward, own_, own_, own_, eps, flags, training};
}
#else
batch_normalization_forward::primitive_desc OneDnnPeer::forward(prop_kind kind, float eps, normalization_flags flags) {
  return {{kind, own_, eps, flags}, engine_};
}
batch_normalization_backward::primitive_desc OneDnnPeer::backward(
    float eps, normalization_flags flags, const batch_normalization_forward::primitive_desc& training) {
  return {{prop_kind::backward, own_, own_, eps, flags}, engine_, training};
}
#endif

void OneDnnPeer::prepare_primitives(bool relu, double eps) {
  auto flags = normalization_flags::use_scale | normalization_flags::use_shift;
  if (relu) flags = flags | normalization_flags::fuse_norm_relu;
  const auto epsilon = static_cast<float>(eps);
  const auto training = forward(prop_kind::forward_training, epsilon, flags);
  const auto evaluation = forward(prop_kind::forward_inference, epsilon, flags | normalization_flags::use_global_stats);
  const auto backward_of = backward(epsilon, flags, training);
  training_ = batch_normalization_forward(training);
  evaluation_ = batch_normalization_forward(evaluation);
  backward_ = batch_normalization_backward(backward_of);
  implementation_ = training.impl_info_str();

  const memory::desc channels({channels_}, memory::data_type::f32, memory::format_tag::x);
  const auto vector = [&](const Buffer<float>& values) { return memory(channels, engine_, values.data()); };
  const memory scale = vector(scale_), shift = vector(shift_);
  training_args_ = {{DNNL_ARG_SRC, x_},
                    {DNNL_ARG_DST, y_},
                    {DNNL_ARG_MEAN, vector(mean_)},
                    {DNNL_ARG_VARIANCE, vector(var_biased_)},
                    {DNNL_ARG_SCALE, scale},
                    {DNNL_ARG_SHIFT, shift}};
  evaluation_args_ = {{DNNL_ARG_SRC, x_},
                      {DNNL_ARG_DST, y_},
                      {DNNL_ARG_MEAN, vector(running_mean_)},
                      {DNNL_ARG_VARIANCE, vector(running_var_)},
                      {DNNL_ARG_SCALE, scale},
                      {DNNL_ARG_SHIFT, shift}};
  backward_args_ = {{DNNL_ARG_SRC, x_},
                    {DNNL_ARG_DIFF_DST, dy_},
                    {DNNL_ARG_DIFF_SRC, dx_},
                    {DNNL_ARG_MEAN, training_args_.at(DNNL_ARG_MEAN)},
                    {DNNL_ARG_VARIANCE, training_args_.at(DNNL_ARG_VARIANCE)},
                    {DNNL_ARG_SCALE, scale},
                    {DNNL_ARG_DIFF_SCALE, vector(dscale_)},
                    {DNNL_ARG_DIFF_SHIFT, vector(dshift_)}};
#if DNNL_VERSION_MAJOR < 3  // which counts it among the inputs; 3 does not
  backward_args_[DNNL_ARG_SHIFT] = shift;
#endif
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

std::unique_ptr<KernelPeer> make_onednn_peer(const NamedShape& shape, const std::string& layout,
                                             const std::string& element, bool relu, const KernelPeer::Inputs& inputs) {
  const auto type = type_of(element);
  if (!type) return nullptr;
  try {
    return std::make_unique<OneDnnPeer>(shape, layout, *type, relu, kEps, inputs);
  } catch (const dnnl::error& error) {
    if (error.status != dnnl_unimplemented) throw;
    return nullptr;
  }
}

}  // namespace bnlab::bench
