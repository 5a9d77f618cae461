#include "bnlab/probes/ics.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

Json complete_ics(const Json& json, const std::string& where, const ProbeSetting& setting) {
  std::vector<int64_t> layers;
  JsonFields fields(json, where);
  fields.optional("layers", layers).finish();
  check_layers(layers, setting.network.layers, where + ".layers");
  check_sequential("ics", where, setting);
  return {{"layers", all_if_empty(layers, setting.network.layers)}};
}

/// A forward pass, and for each layer a step of the network from that layer on, layers taken as equally dear.
double ics_cost(const Json& json, const ProbeSetting& setting) {
  double steps = forward_cost(setting.spec.batch, setting);
  for (const auto layer : json.at("layers").get<std::vector<int64_t>>()) {
    steps += share_from(layer, setting.network.layers);
  }
  return steps;
}

template <class T>
std::vector<T> chosen(const std::vector<T>& values, const std::vector<size_t>& places) {
  std::vector<T> result;
  for (const size_t place : places) result.push_back(values[place]);
  return result;
}

class Ics : public Probe {
 public:
  explicit Ics(const ProbeSpec& spec)
      : Probe(spec), wanted_(spec.parameters.at("layers").get<std::vector<int64_t>>()) {}

  void observe(const StepView& view) override {
    NoTrace no_trace(view.network);
    auto& network = dynamic_cast<SequentialNetwork&>(view.network);
    const std::vector<LayerParameters> layers = layer_parameters(network);
    const std::vector<at::Tensor> parameters = network.parameters();
    const std::vector<at::Tensor> updated = moved(parameters, view.gradients, view.learning_rate);
    at::Tensor input = view.batch.x;  // of the layer, when those before it have taken their update
    const int64_t last = *std::max_element(wanted_.begin(), wanted_.end());
    for (int64_t number = 1; number <= last; ++number) {
      const LayerParameters& layer = layers[static_cast<size_t>(number - 1)];
      if (std::find(wanted_.begin(), wanted_.end(), number) != wanted_.end()) {
        const at::Tensor loss = batch_loss(forward_with_gradient(network, number, input), view.batch.y);
        const at::Tensor after = torch::autograd::grad({loss}, {parameters[layer.weight]}).front();
        record(view, number, view.gradients[layer.weight], after);
      }
      at::NoGradGuard no_grad;
      const WithValues with(chosen(parameters, layer.all), chosen(updated, layer.all));
      input = network.forward_layer(number, input, {});
    }
  }

 private:
  static at::Tensor forward_with_gradient(SequentialNetwork& network, int64_t number, const at::Tensor& input) {
    at::AutoGradMode grad(true);
    return network.forward_from(number, input);
  }

  static void record(const StepView& view, int64_t number, const at::Tensor& before, const at::Tensor& after) {
    const at::Tensor a = before.to(at::kDouble), b = after.to(at::kDouble);
    const double norm_a = a.norm().item<double>(), norm_b = b.norm().item<double>();
    view.recorder.scalar(view.step, number, "l2", (a - b).norm().item<double>());
    view.recorder.scalar(view.step, number, "cosine", (a * b).sum().item<double>() / (norm_a * norm_b));
    view.recorder.scalar(view.step, number, "gradient_norm", norm_a);
  }

  std::vector<int64_t> wanted_;
};

}  // namespace

ProbeKind ics_probe() {
  return {"ics", "the change of each layer's gradient by the update of the layers before it", complete_ics,
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<Ics>(spec); }, ics_cost};
}

}  // namespace bnlab
