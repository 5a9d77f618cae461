#include "bnlab/probes/shape.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "bnlab/probes/by_channel.h"
#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/places.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

struct ShapeParameters {
  std::vector<int64_t> layers;
  int64_t images = 256;
  Places places;
};

ShapeParameters parse_shape(const Json& json, const std::string& where) {
  ShapeParameters parameters;
  JsonFields fields(json, where);
  fields.required("layers", parameters.layers).optional("images", parameters.images);
  fields.check(!parameters.layers.empty(), "layers", "at least one layer");
  fields.check(parameters.images >= 2, "images", "at least 2");
  parameters.places.read(fields);
  fields.finish();
  return parameters;
}

Json complete_shape(const Json& json, const std::string& where, const ProbeSetting& setting) {
  const ShapeParameters parameters = parse_shape(json, where);
  check_layers(parameters.layers, setting.network.layers, where + ".layers");
  Json complete = {{"layers", parameters.layers}, {"images", parameters.images}};
  parameters.places.complete(complete);
  return complete;
}

double median_size(const at::Tensor& values) {
  return values.numel() == 0 ? NAN : values.abs().median().item<double>();
}

class Shape : public Probe {
 public:
  explicit Shape(const ProbeSpec& spec) : Probe(spec), parameters_(parse_shape(spec.parameters, "parameters")) {}

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

  static void record_layer(const NetworkView& view, int64_t layer, const std::string& prefix, const at::Tensor& value) {
    const at::Tensor rows = by_channel(value), off = rows - rows.mean(1, /*keepdim=*/true), squares = off.square();
    const at::Tensor m2 = squares.mean(1), m3 = (squares * off).mean(1), m4 = squares.square().mean(1);
    const at::Tensor varies = rows.amax(1) > rows.amin(1);
    view.recorder.scalar(view.step, layer, prefix + "skewness", median_size((m3 / m2.pow(1.5)).masked_select(varies)));
    view.recorder.scalar(view.step, layer, prefix + "kurtosis",
                         median_size((m4 / m2.square() - 3).masked_select(varies)));
  }

  ShapeParameters parameters_;
  at::Tensor images_;
};

}  // namespace

ProbeKind shape_probe() {
  return {"shape", "how far the distribution of chosen layers' values is from a Gaussian", complete_shape,
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<Shape>(spec); },
          [](const Json& json, const ProbeSetting& setting) {
            return forward_cost(parse_shape(json, "parameters").images, setting);
          }};
}

}  // namespace bnlab
