#include "bnlab/probes/effective_rate.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

std::vector<int64_t> parse_effective_rate(const Json& json, const std::string& where) {
  std::vector<int64_t> layers;
  JsonFields fields(json, where);
  fields.optional("layers", layers).finish();
  return layers;
}

Json complete_effective_rate(const Json& json, const std::string& where, const ProbeSetting& setting) {
  const std::vector<int64_t> layers = parse_effective_rate(json, where);
  check_layers(layers, setting.network.layers, where + ".layers");
  return {{"layers", all_if_empty(layers, setting.network.layers)}};
}

class EffectiveRate : public Probe {
 public:
  explicit EffectiveRate(const ProbeSpec& spec)
      : Probe(spec), layers_(parse_effective_rate(spec.parameters, "parameters")) {}

  void observe(const StepView& view) override {
    at::NoGradGuard no_grad;
    const std::vector<LayerParameters> parameters = layer_parameters(view.network);
    for (const int64_t layer : layers_) {
      const size_t place = parameters.at(static_cast<size_t>(layer - 1)).weight;
      const at::Tensor w = view.parameters.at(place).to(at::kDouble), g = view.gradients.at(place).to(at::kDouble);
      const double norm = w.norm().item<double>();
      view.recorder.scalar(view.step, layer, "norm", norm);
      view.recorder.scalar(view.step, layer, "cosine", (w * g).sum().item<double>() / (norm * g.norm().item<double>()));
      view.recorder.scalar(view.step, layer, "effective_rate", view.learning_rate / (norm * norm));
    }
  }

 private:
  std::vector<int64_t> layers_;
};

}  // namespace

ProbeKind effective_rate_probe() {
  return {"effective-rate", "the length of each layer's weights, and what it makes of the learning rate",
          complete_effective_rate,
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<EffectiveRate>(spec); },
          [](const Json&, const ProbeSetting&) { return 0.1; }};  // reads each weight and gradient twice
}

}  // namespace bnlab
