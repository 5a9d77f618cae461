#include "bnlab/probes/activations.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "bnlab/data/random.h"
#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/places.h"
#include "bnlab/probes/probe.h"
#include "bnlab/train/loss_closure.h"

namespace bnlab {
namespace {

struct Parameters {
  std::vector<int64_t> layers;
  int64_t images = 128;
  int64_t samples = 2048;
  Places places;
};

Parameters parse(const Json& json, const std::string& where) {
  Parameters parameters;
  JsonFields fields(json, where);
  fields.required("layers", parameters.layers).optional("images", parameters.images);
  fields.optional("samples", parameters.samples);
  fields.check(!parameters.layers.empty(), "layers", "at least one layer");
  fields.check(parameters.images >= 2, "images", "at least 2");
  fields.check(parameters.samples >= 2, "samples", "at least 2");
  parameters.places.read(fields);
  fields.finish();
  return parameters;
}

Json complete(const Json& json, const std::string& where, const ProbeSetting& setting) {
  const Parameters parameters = parse(json, where);
  check_layers(parameters.layers, setting.network.layers, where + ".layers");
  Json complete = {{"layers", parameters.layers}, {"images", parameters.images}, {"samples", parameters.samples}};
  parameters.places.complete(complete);
  return complete;
}

class Activations : public Probe {
 public:
  Activations(const ProbeSpec& spec, uint64_t seed)
      : Probe(spec), parameters_(parse(spec.parameters, "parameters")), seed_(seed) {}

  void observe(const StepView& view) override { record(view); }
  void observe_end(const NetworkView& view) override { record(view); }

 private:
  void record(const NetworkView& view) {
    if (!images_.defined()) images_ = view.data.evaluation_loader(/*train_split=*/true, parameters_.images).next().x;
    NoTrace no_trace(view.network);
    at::NoGradGuard no_grad;
    view.network.train();
    view.network.forward(images_, [&](int64_t layer, TapPoint point, const at::Tensor& value) {
      const auto& wanted = parameters_.layers;
      const auto prefix = parameters_.places.prefix(point);
      if (prefix && std::find(wanted.begin(), wanted.end(), layer) != wanted.end()) {
        record_layer(view, layer, *prefix, value);
      }
    });
  }

  void record_layer(const NetworkView& view, int64_t layer, const std::string& prefix, const at::Tensor& value) {
    const at::Tensor flat = value.contiguous().flatten();
    const auto* values = flat.data_ptr<float>();
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < flat.numel(); ++i) mean += values[i];
    mean /= static_cast<double>(flat.numel());
    for (int64_t i = 0; i < flat.numel(); ++i) squares += (values[i] - mean) * (values[i] - mean);
    view.recorder.scalar(view.step, layer, prefix + "mean", mean);
    view.recorder.scalar(view.step, layer, prefix + "std", std::sqrt(squares / static_cast<double>(flat.numel())));

    Random places(mix(seed_, "activations", layer));
    std::vector<float> samples(static_cast<size_t>(parameters_.samples));
    for (float& sample : samples) sample = values[places.below(static_cast<uint64_t>(flat.numel()))];
    std::sort(samples.begin(), samples.end(),
              [](float a, float b) { return a < b || (!std::isnan(a) && std::isnan(b)); });
    view.recorder.array(view.step, layer, prefix + "samples", samples);
  }

  Parameters parameters_;
  uint64_t seed_;
  at::Tensor images_;
};

}  // namespace

ProbeKind activations_probe() {
  return {"activations", "the distribution of chosen layers' values, on the same images at every observation", complete,
          [](const ProbeSpec& spec, const ProbeSetting& setting) {
            return std::make_unique<Activations>(spec, setting.seed());
          },
          [](const Json& json, const ProbeSetting& setting) {
            return forward_cost(parse(json, "parameters").images, setting);
          }};
}

}  // namespace bnlab
