#include "bnlab/probes/gradient_flow.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

std::vector<int64_t> parse_flow(const Json& json, const std::string& where) {
  std::vector<int64_t> layers;
  JsonFields fields(json, where);
  fields.optional("layers", layers).finish();
  return layers;
}

Json complete_flow(const Json& json, const std::string& where, const ProbeSetting& setting) {
  const std::vector<int64_t> layers = parse_flow(json, where);
  check_layers(layers, setting.network.layers, where + ".layers");
  return {{"layers", all_if_empty(layers, setting.network.layers)}};
}

at::Tensor as_double(const at::Tensor& values) {
  return values.is_floating_point() ? values.detach().to(at::kDouble) : values;
}

/// Parameters and running statistics, and their values in double.
struct Doubled {
  std::vector<at::Tensor> own, values;
  explicit Doubled(Network& network) : own(network.parameters()) {
    for (const at::Tensor& buffer : network.buffers()) own.push_back(buffer);
    for (const at::Tensor& tensor : own) values.push_back(as_double(tensor));
  }
};

class GradientFlow : public Probe {
 public:
  explicit GradientFlow(const ProbeSpec& spec) : Probe(spec), layers_(parse_flow(spec.parameters, "parameters")) {}

  void observe(const StepView& view) override {
    const NoTrace no_trace(view.network);
    at::AutoGradMode grad(true);
    const Doubled doubled(view.network);
    const WithValues with(doubled.own, doubled.values);
    std::vector<at::Tensor> linear(static_cast<size_t>(view.network.layers()));
    const at::Tensor outputs =
        view.network.forward(as_double(view.batch.x), [&](int64_t layer, TapPoint point, const at::Tensor& value) {
          if (point == TapPoint::kLinear) linear.at(static_cast<size_t>(layer - 1)) = value;
        });
    std::vector<at::Tensor> wanted;
    const std::vector<LayerParameters> parameters = layer_parameters(view.network);
    for (const int64_t layer : layers_) {
      const auto place = static_cast<size_t>(layer - 1);
      wanted.push_back(linear.at(place));
      wanted.push_back(doubled.own.at(parameters.at(place).weight));
    }
    const auto gradients = torch::autograd::grad({batch_loss(outputs, as_double(view.batch.y))}, wanted);
    for (size_t i = 0; i < layers_.size(); ++i) {
      view.recorder.scalar(view.step, layers_[i], "linear", gradients[2 * i].norm().item<double>());
      view.recorder.scalar(view.step, layers_[i], "weight", gradients[2 * i + 1].norm().item<double>());
    }
  }

 private:
  std::vector<int64_t> layers_;
};

}  // namespace

ProbeKind gradient_flow_probe() {
  return {"gradient-flow", "the norm of the gradient that arrives at each layer, in double precision", complete_flow,
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<GradientFlow>(spec); },
          [](const Json&, const ProbeSetting&) { return 2.0; }};  // a step in double
}

}  // namespace bnlab
