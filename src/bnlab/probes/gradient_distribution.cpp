#include "bnlab/probes/gradient_distribution.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

struct DistributionParameters {
  std::vector<int64_t> layers, per_mille = {10, 20, 50, 100};
  int64_t quantiles = 1025;
};

DistributionParameters parse_distribution(const Json& json, const std::string& where) {
  DistributionParameters p;
  JsonFields fields(json, where);
  fields.optional("layers", p.layers).optional("per_mille", p.per_mille).optional("quantiles", p.quantiles);
  fields.check(std::all_of(p.per_mille.begin(), p.per_mille.end(), [](int64_t k) { return k >= 1 && k < 1000; }),
               "per_mille", "shares from 1 to 999");
  fields.check(p.quantiles >= 2, "quantiles", "at least 2");
  fields.finish();
  return p;
}

Json complete_distribution(const Json& json, const std::string& where, const ProbeSetting& setting) {
  const DistributionParameters p = parse_distribution(json, where);
  check_layers(p.layers, setting.network.layers, where + ".layers");
  return {{"layers", all_if_empty(p.layers, setting.network.layers)},
          {"per_mille", p.per_mille},
          {"quantiles", p.quantiles}};
}

std::vector<double> in_order(const at::Tensor& values) {
  const at::Tensor flat = values.to(at::kDouble).contiguous().flatten();
  std::vector<double> sorted(flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

/// Hill's estimate from the `per_mille` largest of `magnitudes`, which rise.
double hill(const std::vector<double>& magnitudes, int64_t per_mille) {
  const size_t n = magnitudes.size(), k = std::max<size_t>(1, n * static_cast<size_t>(per_mille) / 1000);
  if (k >= n || !(magnitudes[n - 1 - k] > 0)) return NAN;
  double sum = 0;
  for (size_t i = n - k; i < n; ++i) sum += std::log(magnitudes[i] / magnitudes[n - 1 - k]);
  return sum / static_cast<double>(k);
}

std::vector<float> at_even_ranks(const std::vector<double>& sorted, size_t wanted) {
  const size_t count = std::min(sorted.size(), wanted);
  std::vector<float> chosen;
  for (size_t i = 0; i < count; ++i) {
    const size_t rank = count == sorted.size() ? i : i * (sorted.size() - 1) / (count - 1);
    chosen.push_back(static_cast<float>(sorted[rank]));
  }
  return chosen;
}

class GradientDistribution : public Probe {
 public:
  explicit GradientDistribution(const ProbeSpec& spec)
      : Probe(spec), parameters_(parse_distribution(spec.parameters, "parameters")) {}

  void observe(const StepView& view) override {
    at::NoGradGuard no_grad;
    const std::vector<LayerParameters> parameters = layer_parameters(view.network);
    for (const int64_t layer : parameters_.layers) {
      record_layer(view, layer, view.gradients.at(parameters.at(static_cast<size_t>(layer - 1)).weight));
    }
  }

 private:
  void record_layer(const StepView& view, int64_t layer, const at::Tensor& gradient) const {
    const at::Tensor g = gradient.to(at::kDouble), squares = (g - g.mean()).square();
    const double variance = squares.mean().item<double>();
    view.recorder.scalar(view.step, layer, "norm", g.norm().item<double>());
    view.recorder.scalar(view.step, layer, "deviation", std::sqrt(variance));
    view.recorder.scalar(view.step, layer, "kurtosis",
                         squares.square().mean().item<double>() / (variance * variance) - 3);
    const std::vector<double> magnitudes = in_order(g.abs());
    for (const int64_t share : parameters_.per_mille) {
      view.recorder.scalar(view.step, layer, "hill_" + std::to_string(share), hill(magnitudes, share));
    }
    view.recorder.array(view.step, layer, "quantiles",
                        at_even_ranks(in_order(g), static_cast<size_t>(parameters_.quantiles)));
  }

  DistributionParameters parameters_;
};

}  // namespace

ProbeKind gradient_distribution_probe() {
  return {"gradient-distribution", "how the elements of each layer's weight gradient are distributed, and its tails",
          complete_distribution,
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<GradientDistribution>(spec); },
          [](const Json&, const ProbeSetting&) { return 0.1; }};  // reads and sorts each gradient
}

}  // namespace bnlab
