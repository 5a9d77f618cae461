#include "bnlab/probes/moments_by_depth.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "bnlab/probes/by_channel.h"
#include "bnlab/probes/places.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

WatchedValues parse_moments(const Json& json, const std::string& where) {
  WatchedValues parameters;
  JsonFields fields(json, where);
  parameters.read(fields);
  fields.finish();
  return parameters;
}

class MomentsByDepth : public Probe {
 public:
  explicit MomentsByDepth(const ProbeSpec& spec)
      : Probe(spec), parameters_(parse_moments(spec.parameters, "parameters")) {}

  void observe(const StepView& view) override { record(view); }
  void observe_end(const NetworkView& view) override { record(view); }

 private:
  void record(const NetworkView& view) {
    if (!images_.defined()) images_ = parameters_.first_images(view);
    NoTrace no_trace(view.network);
    at::NoGradGuard no_grad;
    view.network.train();
    parameters_.pass(view.network, images_, [&](int64_t layer, const std::string& prefix, const at::Tensor& value) {
      const at::Tensor rows = by_channel(value);
      record_channels(view, layer, prefix + "mean", rows.mean(1).abs());
      record_channels(view, layer, prefix + "variance", rows.var(1, /*unbiased=*/false));
    });
  }

  static void record_channels(const NetworkView& view, int64_t layer, const std::string& name,
                              const at::Tensor& channels) {
    view.recorder.scalar(view.step, layer, name, channels.mean().item<double>());
    view.recorder.scalar(view.step, layer, name + "_spread", channels.std(/*unbiased=*/false).item<double>());
  }

  WatchedValues parameters_;
  at::Tensor images_;
};

}  // namespace

ProbeKind moments_by_depth_probe() {
  return {"moments-by-depth", "mean and variance of channels, layer by layer",
          [](const Json& json, const std::string& where, const ProbeSetting& setting) {
            return parse_moments(json, where).complete(where, setting);
          },
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<MomentsByDepth>(spec); },
          [](const Json& json, const ProbeSetting& setting) {
            return forward_cost(parse_moments(json, "parameters").images, setting);
          }};
}

}  // namespace bnlab
