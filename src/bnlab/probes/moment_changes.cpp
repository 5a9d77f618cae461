#include "bnlab/probes/moment_changes.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "bnlab/probes/by_channel.h"
#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/places.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

struct MomentChangeParameters {
  std::vector<int64_t> layers;
  int64_t images = 128;
  Places places;
};

MomentChangeParameters parse_moment_changes(const Json& json, const std::string& where) {
  MomentChangeParameters parameters;
  JsonFields fields(json, where);
  fields.required("layers", parameters.layers).optional("images", parameters.images);
  fields.check(!parameters.layers.empty(), "layers", "at least one layer");
  fields.check(parameters.images >= 2, "images", "at least 2");
  parameters.places.read(fields);
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
    if (!images_.defined()) images_ = view.data.evaluation_loader(/*train_split=*/true, parameters_.images).next().x;
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
    network.forward(images_, [&](int64_t layer, TapPoint point, const at::Tensor& value) {
      const auto& wanted = parameters_.layers;
      const auto prefix = parameters_.places.prefix(point);
      if (!prefix || std::find(wanted.begin(), wanted.end(), layer) == wanted.end()) return;
      const at::Tensor rows = by_channel(value);
      result[{layer, *prefix}] = {rows.mean(1), rows.var(1, /*unbiased=*/false)};
    });
    return result;
  }

  MomentChangeParameters parameters_;
  at::Tensor images_;
};

}  // namespace

ProbeKind moment_changes_probe() {
  return {"moment-changes", "how far a step moves the mean and variance of chosen layers' values",
          [](const Json& json, const std::string& where, const ProbeSetting& setting) {
            const MomentChangeParameters parameters = parse_moment_changes(json, where);
            check_layers(parameters.layers, setting.network.layers, where + ".layers");
            Json complete = {{"layers", parameters.layers}, {"images", parameters.images}};
            parameters.places.complete(complete);
            return complete;
          },
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<MomentChanges>(spec); },
          [](const Json& json, const ProbeSetting& setting) {
            return 2 * forward_cost(parse_moment_changes(json, "parameters").images, setting);
          }};
}

}  // namespace bnlab
