#include "bnlab/probes/layer_gradients.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

std::vector<int64_t> parse_layer_gradients(const Json& json, const std::string& where) {
  std::vector<int64_t> layers;
  JsonFields fields(json, where);
  fields.optional("layers", layers);
  fields.finish();
  return layers;
}

Json complete_layer_gradients(const Json& json, const std::string& where, const ProbeSetting& setting) {
  const std::vector<int64_t> layers = parse_layer_gradients(json, where);
  check_layers(layers, setting.network.layers, where + ".layers");
  return {{"layers", all_if_empty(layers, setting.network.layers)}};
}

class LayerGradients : public Probe {
 public:
  explicit LayerGradients(const ProbeSpec& spec)
      : Probe(spec), layers_(parse_layer_gradients(spec.parameters, "parameters")) {}

  void observe(const StepView& view) override {
    at::NoGradGuard no_grad;
    const std::vector<LayerParameters> parameters = layer_parameters(view.network);
    for (const int64_t layer : layers_) {
      const at::Tensor& gradient = view.gradients.at(parameters.at(static_cast<size_t>(layer - 1)).weight);
      view.recorder.scalar(view.step, layer, "weight", gradient.to(at::kDouble).norm().item<double>());
    }
  }

 private:
  std::vector<int64_t> layers_;
};

}  // namespace

ProbeKind layer_gradients_probe() {
  return {"layer-gradients", "the norm of the gradient of each layer's weights", complete_layer_gradients,
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<LayerGradients>(spec); },
          [](const Json&, const ProbeSetting&) { return 0.05; }};  // reads each gradient once
}

}  // namespace bnlab
