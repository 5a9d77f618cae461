#include "bnlab/probes/moment_changes.h"

#include <ATen/core/grad_mode.h>

#include <map>
#include <string>
#include <utility>

#include "bnlab/probes/by_channel.h"
#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/places.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

WatchedValues parse_moment_changes(const Json& json, const std::string& where) {
  WatchedValues parameters;
  JsonFields fields(json, where);
  parameters.read(fields);
  fields.finish();
  return parameters;
}

/// Of each channel.
struct ChannelMoments {
  at::Tensor mean, variance;
};

class MomentChanges : public Probe {
 public:
  explicit MomentChanges(const ProbeSpec& spec)
      : Probe(spec), parameters_(parse_moment_changes(spec.parameters, "parameters")) {}

  void observe(const StepView& view) override {
    if (!images_.defined()) images_ = parameters_.first_images(view);
    NoTrace no_trace(view.network);  // one for both passes: the second draws other noise
    at::NoGradGuard no_grad;
    view.network.train();
    const auto before = moments(view.network);
    const WithValues with(view.network.parameters(), moved(view.parameters, view.gradients, view.learning_rate));
    const auto after = moments(view.network);
    for (const auto& [key, old] : before) {
      const auto& [layer, prefix] = key;
      const at::Tensor varies = old.variance.ne(0);  // NaN does, and stays one
      const at::Tensor mean = ((after.at(key).mean - old.mean).abs() / old.variance.sqrt()).masked_select(varies);
      const at::Tensor variance = ((after.at(key).variance - old.variance).abs() / old.variance).masked_select(varies);
      view.recorder.scalar(view.step, layer, prefix + "mean", mean.mean().item<double>());
      view.recorder.scalar(view.step, layer, prefix + "variance", variance.mean().item<double>());
    }
  }

 private:
  /// By layer and prefix of the place.
  using Moments = std::map<std::pair<int64_t, std::string>, ChannelMoments>;

  Moments moments(Network& network) const {
    Moments result;
    parameters_.pass(network, images_, [&](int64_t layer, const std::string& prefix, const at::Tensor& value) {
      const at::Tensor rows = by_channel(value);
      result[{layer, prefix}] = {rows.mean(1), rows.var(1, /*unbiased=*/false)};
    });
    return result;
  }

  WatchedValues parameters_;
  at::Tensor images_;
};

}  // namespace

ProbeKind moment_changes_probe() {
  return {"moment-changes", "how far a step moves the mean and variance of chosen layers' values",
          [](const Json& json, const std::string& where, const ProbeSetting& setting) {
            return parse_moment_changes(json, where).complete(where, setting);
          },
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<MomentChanges>(spec); },
          [](const Json& json, const ProbeSetting& setting) {
            return 2 * forward_cost(parse_moment_changes(json, "parameters").images, setting);
          }};
}

}  // namespace bnlab
