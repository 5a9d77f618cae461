#include "bnlab/doctor/conventions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>
#include <vector>

#include "bnlab/record/json_fields.h"

namespace bnlab::doctor {
namespace {

constexpr Convention kConventions[] = {
    {"PyTorch", "of the new batch, 0.1; None: all batches alike", "1e-5", "unbiased",
     "weight, bias, running_mean, running_var", "num_batches_tracked counts the training batches",
     "docs.pytorch.org, torch.nn.BatchNorm1d"},
    {"Keras, TensorFlow", "of the old average, 0.99", "1e-3",
     "biased in Keras 3 (ops.moments); unbiased by TensorFlow's fused operator, which Keras 2 uses for 4 axes",
     "gamma, beta, moving_mean, moving_variance", "channels are the last axis",
     "keras/src/layers/normalization/batch_normalization.py; tensorflow/core/kernels/fused_batch_norm_op.cc"},
    {"ONNX", "of the old average, 0.9", "1e-5", "biased", "scale, B, input_mean, input_var",
     "training_mode=1 normalizes by the batch", "onnx.ai, BatchNormalization-15"},
    {"Caffe", "of the old sum, 0.999 (moving_average_fraction)", "1e-5", "unbiased",
     "blobs 0 and 1: mean and variance, both times blob 2; gamma and beta are blobs 0 and 1 of a Scale layer",
     "divide mean and variance by blob 2, or take 0 if it is 0",
     "BVLC/caffe src/caffe/layers/batch_norm_layer.cpp, src/caffe/proto/caffe.proto"},
    {"MXNet", "of the old average, 0.9", "1e-5 in Gluon, 1e-3 in the operator", "biased",
     "gamma, beta, running_mean, running_var; moving_mean, moving_var of the operator",
     "fix_gamma, the operator's default, takes gamma for 1 whatever is stored",
     "mxnet.apache.org, npx.batch_norm and gluon/nn/basic_layers.py"},
    {"PaddlePaddle", "of the old average, 0.9", "1e-5", "biased", "weight, bias, _mean, _variance", "",
     "paddlepaddle.org.cn, BatchNorm2D; paddle/phi/kernels/cpu/batch_norm_kernel.cc"},
    {"MLX", "of the new batch, 0.1", "1e-5", "biased", "weight, bias, running_mean, running_var",
     "channels are the last axis", "ml-explore/mlx python/mlx/nn/layers/normalization.py"},
    {"JAX with Flax", "of the old average, 0.99", "1e-5", "biased", "params: scale, bias; batch_stats: mean, var",
     "channels are the last axis", "google/flax flax/linen/normalization.py"},
    {"Darknet", "of the new batch, fixed: 0.1 on the processor, 0.01 on a GPU",
     "1e-6 on the processor, 1e-5 with cuDNN", "unbiased",
     "biases, scales, rolling_mean, rolling_variance, in this order in a .weights file",
     "the original adds eps to the deviation, not to the variance; later versions to the variance",
     "pjreddie/darknet src/batchnorm_layer.c, src/blas.c"},
};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string or_dash(const char* text) {
  return *text == 0 ? "–" : text;
}

std::string table() {
  std::string text =
      "| library | momentum is the weight | eps | stored variance | gamma, beta, mean, variance | besides | source |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const Convention& each : kConventions) {
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", each.library, each.momentum, each.eps, each.variance,
                        each.names, or_dash(each.remark), each.source);
  }
  return text;
}

std::string in_lines(const Convention& each) {
  std::string text = fmt::format(
      "{}\n  momentum         the weight {}\n  eps              {}\n  stored variance  {}\n  names            {}\n",
      each.library, each.momentum, each.eps, each.variance, each.names);
  if (*each.remark != 0) text += fmt::format("  besides          {}\n", each.remark);
  return text + fmt::format("  source           {}\n", each.source);
}

}  // namespace

std::span<const Convention> conventions() {
  return kConventions;
}

std::string conventions_text(const std::string& name) {
  if (name.empty()) return table();
  std::string text;
  std::vector<std::string> known;
  for (const Convention& each : kConventions) {
    known.push_back(each.library);
    if (lower(each.library).find(lower(name)) != std::string::npos) text += in_lines(each);
  }
  if (text.empty()) {
    throw std::invalid_argument(
        fmt::format("--convention: \"{}\" is none of the libraries that are known: {}", name, join_or(known)));
  }
  return text;
}

}  // namespace bnlab::doctor
