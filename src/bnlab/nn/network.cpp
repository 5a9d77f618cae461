#include "bnlab/nn/network.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "bnlab/nn/norm.h"
#include "bnlab/nn/options.h"

namespace bnlab {
namespace {

void draw_glorot(at::Tensor& weight, bool uniform, at::Generator& generator) {
  const int64_t receptive_field = weight.numel() / (weight.size(0) * weight.size(1));
  const double fan_in = static_cast<double>(weight.size(1) * receptive_field);
  const double fan_out = static_cast<double>(weight.size(0) * receptive_field);
  const double deviation = std::sqrt(2.0 / (fan_in + fan_out));
  if (uniform) {
    weight.uniform_(-std::sqrt(3.0) * deviation, std::sqrt(3.0) * deviation, generator);
  } else {
    weight.normal_(0, deviation, generator);
  }
}

}  // namespace

at::Tensor SequentialNetwork::forward(const at::Tensor& x, const Tap& tap) {
  at::Tensor y = x;
  for (int64_t number = 1; number <= layers(); ++number) y = forward_layer(number, y, tap);
  return forward_head(y);
}

at::Tensor SequentialNetwork::forward_from(int64_t number, const at::Tensor& x) {
  at::Tensor y = x;
  for (; number <= layers(); ++number) y = forward_layer(number, y, {});
  return forward_head(y);
}

void init_parameters(Network& network, const std::string& kind, uint64_t seed, double scale) {
  if (kind != "glorot-uniform" && kind != "glorot-normal") {
    throw OptionError("init", "there is no initialization \"" + kind + "\"; known: glorot-uniform, glorot-normal");
  }
  at::NoGradGuard no_grad;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (const auto& module : network.modules(/*include_self=*/true)) {
    if (dynamic_cast<const Norm*>(module.get())) continue;
    for (auto& parameter : module->parameters(/*recurse=*/false)) {
      if (parameter.dim() >= 2) {
        draw_glorot(parameter, kind == "glorot-uniform", generator);
        parameter.mul_(scale);
      } else {
        parameter.zero_();
      }
    }
  }
}

}  // namespace bnlab
