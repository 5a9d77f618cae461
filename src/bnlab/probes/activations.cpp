#include "bnlab/probes/activations.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "bnlab/data/random.h"
#include "bnlab/probes/places.h"
#include "bnlab/probes/probe.h"
#include "bnlab/train/loss_closure.h"

namespace bnlab {
namespace {

struct ActivationParameters {
  WatchedValues values;
  int64_t samples = 2048;
};

ActivationParameters parse_activations(const Json& json, const std::string& where) {
  ActivationParameters parameters;
  JsonFields fields(json, where);
  parameters.values.read(fields);
  fields.optional("samples", parameters.samples);
  fields.check(parameters.samples >= 2, "samples", "at least 2");
  fields.finish();
  return parameters;
}

Json complete_activations(const Json& json, const std::string& where, const ProbeSetting& setting) {
  const ActivationParameters parameters = parse_activations(json, where);
  Json complete = parameters.values.complete(where, setting);
  complete["samples"] = parameters.samples;
  return complete;
}

class Activations : public Probe {
 public:
  Activations(const ProbeSpec& spec, uint64_t seed)
      : Probe(spec), parameters_(parse_activations(spec.parameters, "parameters")), seed_(seed) {}

  void observe(const StepView& view) override { record(view); }
  void observe_end(const NetworkView& view) override { record(view); }

 private:
  void record(const NetworkView& view) {
    if (!images_.defined()) images_ = parameters_.values.first_images(view);
    NoTrace no_trace(view.network);
    at::NoGradGuard no_grad;
    view.network.train();
    parameters_.values.pass(view.network, images_,
                            [&](int64_t layer, const std::string& prefix, const at::Tensor& value) {
                              record_layer(view, layer, prefix, value);
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

  ActivationParameters parameters_;
  uint64_t seed_;
  at::Tensor images_;
};

}  // namespace

ProbeKind activations_probe() {
  return {"activations", "the distribution of chosen layers' values, on the same images at every observation",
          complete_activations,
          [](const ProbeSpec& spec, const ProbeSetting& setting) {
            return std::make_unique<Activations>(spec, setting.seed());
          },
          [](const Json& json, const ProbeSetting& setting) {
            return forward_cost(parse_activations(json, "parameters").values.images, setting);
          }};
}

}  // namespace bnlab
