#include "bnlab/probes/gradient_terms.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/conv.h>

#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

std::vector<int64_t> parse_terms(const Json& json, const std::string& where) {
  std::vector<int64_t> layers;
  JsonFields fields(json, where);
  fields.optional("layers", layers).finish();
  return layers;
}

Json complete_terms(const Json& json, const std::string& where, const ProbeSetting& setting) {
  const std::vector<int64_t> layers = parse_terms(json, where);
  check_layers(layers, setting.network.layers, where + ".layers");
  return {{"layers", all_if_empty(layers, setting.network.layers)}};
}

/// What each layer's linear map gets and gives, at [number - 1], in a pass with its graph.
struct LinearPass {
  std::vector<at::Tensor> inputs, results;
  at::Tensor outputs;

  LinearPass(Network& network, const at::Tensor& x) {
    const auto keep = [&](TapPoint point, const at::Tensor& value) {
      if (point == TapPoint::kLinear) results.push_back(value);
    };
    if (auto* row = dynamic_cast<SequentialNetwork*>(&network)) {
      at::Tensor value = x;
      for (int64_t number = 1; number <= network.layers(); ++number) {
        inputs.push_back(value);
        value = row->forward_layer(number, value, [&](int64_t, TapPoint point, at::Tensor& y) { keep(point, y); });
      }
      outputs = row->forward_head(value);
      return;
    }
    inputs.push_back(x);
    outputs = network.forward(x, [&](int64_t, TapPoint point, at::Tensor& value) {
      keep(point, value);
      if (point == TapPoint::kOutput) inputs.push_back(value);
    });
  }
};

/// The sum over images and places of dy times the input under each of a layer's weights: (out, in, …).
at::Tensor summed_terms(torch::nn::Module& layer, const at::Tensor& weight, const at::Tensor& x, const at::Tensor& dy) {
  for (const auto& module : layer.modules()) {
    const auto* conv = module->as<torch::nn::Conv2d>();
    if (!conv) continue;
    const auto* padding = get_if<torch::ExpandingArray<2>>(&conv->options.padding());
    TORCH_CHECK(padding,
                "gradient-terms: expected convolutions with padding by numbers; leave others out of \"layers\"");
    return std::get<1>(at::convolution_backward(dy, x, weight, c10::nullopt, *conv->options.stride(), **padding,
                                                *conv->options.dilation(), /*transposed=*/false, {0, 0},
                                                conv->options.groups(), {false, true, false}));
  }
  return dy.t().matmul(x.flatten(1));
}

class GradientTerms : public Probe {
 public:
  explicit GradientTerms(const ProbeSpec& spec) : Probe(spec), layers_(parse_terms(spec.parameters, "parameters")) {}

  void observe(const StepView& view) override {
    const NoTrace no_trace(view.network);
    at::AutoGradMode grad(true);
    const LinearPass pass(view.network, view.batch.x);
    std::vector<at::Tensor> wanted;
    for (const int64_t layer : layers_) wanted.push_back(pass.results.at(static_cast<size_t>(layer - 1)));
    const auto dy = torch::autograd::grad({batch_loss(pass.outputs, view.batch.y)}, wanted);
    at::NoGradGuard no_grad;
    const std::vector<LayerParameters> parameters = layer_parameters(view.network);
    for (size_t i = 0; i < layers_.size(); ++i) {
      const auto place = static_cast<size_t>(layers_[i] - 1);
      const at::Tensor weight = view.parameters.at(parameters.at(place).weight).to(at::kDouble),
                       x = pass.inputs.at(place).to(at::kDouble), d = dy[i].to(at::kDouble);
      const auto mean_of_terms = [&](const at::Tensor& input, const at::Tensor& gradient) {
        return summed_terms(view.network.layer(layers_[i]), weight, input, gradient).abs().mean().item<double>();
      };
      view.recorder.scalar(view.step, layers_[i], "absolute", mean_of_terms(x.abs(), d.abs()));
      view.recorder.scalar(view.step, layers_[i], "sum", mean_of_terms(x, d));
    }
  }

 private:
  std::vector<int64_t> layers_;
};

/// A step, and of each layer twice the gradient of its weight, which is a third of its step, in double.
double terms_cost(const Json& json, const ProbeSetting& setting) {
  const auto layers = static_cast<double>(json.at("layers").size());
  return 1 + 4.0 / 3 * layers / static_cast<double>(setting.network.layers);
}

}  // namespace

ProbeKind gradient_terms_probe() {
  return {"gradient-terms", "how much the terms of a weight's gradient cancel over images and places", complete_terms,
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<GradientTerms>(spec); }, terms_cost};
}

}  // namespace bnlab
