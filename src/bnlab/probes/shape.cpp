#include "bnlab/probes/shape.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "bnlab/probes/by_channel.h"
#include "bnlab/probes/places.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

WatchedValues parse_shape(const Json& json, const std::string& where) {
  WatchedValues parameters;
  parameters.images = 256;
  JsonFields fields(json, where);
  parameters.read(fields);
  fields.finish();
  return parameters;
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
    if (!images_.defined()) images_ = parameters_.first_images(view);
    NoTrace no_trace(view.network);
    at::NoGradGuard no_grad;
    view.network.train();
    parameters_.pass(view.network, images_, [&](int64_t layer, const std::string& prefix, const at::Tensor& value) {
      record_layer(view, layer, prefix, value);
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

  WatchedValues parameters_;
  at::Tensor images_;
};

}  // namespace

ProbeKind shape_probe() {
  return {"shape", "how far the distribution of chosen layers' values is from a Gaussian",
          [](const Json& json, const std::string& where, const ProbeSetting& setting) {
            return parse_shape(json, where).complete(where, setting);
          },
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<Shape>(spec); },
          [](const Json& json, const ProbeSetting& setting) {
            return forward_cost(parse_shape(json, "parameters").images, setting);
          }};
}

}  // namespace bnlab
