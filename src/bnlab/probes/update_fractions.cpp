#include "bnlab/probes/update_fractions.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <map>

#include "bnlab/probes/by_channel.h"
#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

struct FractionParameters {
  std::vector<int64_t> layers;
  int64_t points = 11;
};

FractionParameters parse_fractions(const Json& json, const std::string& where) {
  FractionParameters parameters;
  JsonFields fields(json, where);
  fields.optional("layers", parameters.layers).optional("points", parameters.points);
  fields.check(parameters.points >= 2, "points", "at least 2");
  fields.finish();
  return parameters;
}

Json complete_fractions(const Json& json, const std::string& where, const ProbeSetting& setting) {
  const FractionParameters p = parse_fractions(json, where);
  check_layers(p.layers, setting.network.layers, where + ".layers");
  return {{"layers", all_if_empty(p.layers, setting.network.layers)}, {"points", p.points}};
}

/// A layer's channels, fraction after fraction.
struct ChannelRows {
  std::vector<double> mean, variance;
  int64_t channels = 0;

  void add(const at::Tensor& values) {
    const at::Tensor rows = by_channel(values), means = rows.mean(1), variances = rows.var(1, /*unbiased=*/false);
    channels = rows.size(0);
    mean.insert(mean.end(), means.data_ptr<double>(), means.data_ptr<double>() + channels);
    variance.insert(variance.end(), variances.data_ptr<double>(), variances.data_ptr<double>() + channels);
  }
  double mean_size(int64_t point) const {
    double squares = 0;
    for (int64_t c = 0; c < channels; ++c) squares += std::pow(mean.at(static_cast<size_t>(point * channels + c)), 2);
    return std::sqrt(squares / static_cast<double>(channels));
  }
  double mean_variance(int64_t point) const {
    double sum = 0;
    for (int64_t c = 0; c < channels; ++c) sum += variance.at(static_cast<size_t>(point * channels + c));
    return sum / static_cast<double>(channels);
  }
};

class UpdateFractions : public Probe {
 public:
  explicit UpdateFractions(const ProbeSpec& spec)
      : Probe(spec), parameters_(parse_fractions(spec.parameters, "parameters")) {}

  void observe(const StepView& view) override {
    const NoTrace no_trace(view.network);
    at::NoGradGuard no_grad;
    std::map<int64_t, ChannelRows> by_layer;
    for (const int64_t layer : parameters_.layers) by_layer[layer] = {};
    std::vector<double> fractions, losses;
    for (int64_t k = 0; k < parameters_.points; ++k) {
      fractions.push_back(static_cast<double>(k) / static_cast<double>(parameters_.points - 1));
      losses.push_back(pass(view, fractions.back(), by_layer));
    }
    record_whole(view, fractions, losses);
    for (const auto& [layer, rows] : by_layer) record_layer(view, layer, rows);
  }

 private:
  static double pass(const StepView& view, double fraction, std::map<int64_t, ChannelRows>& by_layer) {
    const auto values = moved(view.parameters, view.gradients, fraction * view.learning_rate);
    const WithValues with(view.network.parameters(), values);
    const at::Tensor outputs =
        view.network.forward(view.batch.x, [&](int64_t layer, TapPoint point, const at::Tensor& value) {
          const auto it = by_layer.find(layer);
          if (point == TapPoint::kLinear && it != by_layer.end()) it->second.add(value);
        });
    return batch_loss(outputs, view.batch.y).item<double>();
  }

  static void record_whole(const StepView& view, const std::vector<double>& fractions,
                           const std::vector<double>& losses) {
    double squares = 0;
    for (const at::Tensor& part : view.gradients) squares += std::pow(part.norm().item<double>(), 2);
    view.recorder.array(view.step, 0, "fraction", fractions);
    view.recorder.array(view.step, 0, "loss", losses);
    view.recorder.scalar(view.step, 0, "loss_before", losses.front());
    view.recorder.scalar(view.step, 0, "loss_after", losses.back());
    view.recorder.scalar(view.step, 0, "length", view.learning_rate * std::sqrt(squares));
  }

  void record_layer(const StepView& view, int64_t layer, const ChannelRows& rows) const {
    const int64_t last = parameters_.points - 1;
    view.recorder.array(view.step, layer, "mean", rows.mean, {parameters_.points, rows.channels});
    view.recorder.array(view.step, layer, "variance", rows.variance, {parameters_.points, rows.channels});
    view.recorder.scalar(view.step, layer, "mean_before", rows.mean_size(0));
    view.recorder.scalar(view.step, layer, "mean_after", rows.mean_size(last));
    view.recorder.scalar(view.step, layer, "variance_before", rows.mean_variance(0));
    view.recorder.scalar(view.step, layer, "variance_after", rows.mean_variance(last));
  }

  FractionParameters parameters_;
};

}  // namespace

ProbeKind update_fractions_probe() {
  return {"update-fractions", "the moments of each layer's channels while one update is made bit by bit",
          complete_fractions,
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<UpdateFractions>(spec); },
          [](const Json& json, const ProbeSetting& setting) {
            return static_cast<double>(parse_fractions(json, "parameters").points) *
                   forward_cost(setting.spec.batch, setting);
          }};
}

}  // namespace bnlab
