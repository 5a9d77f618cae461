#include "bnlab/experiments/basics/sigmoid_networks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace bnlab::sigmoids {
namespace {

constexpr double kRate = 0.5;  // of all networks; the paper gives none

struct SigmoidProtocol {
  int64_t width, batch, steps, observe_every, test_every, test_examples;
};

SigmoidProtocol sigmoid_protocol(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {16, 16, 12, 2, 2, 40};
    case Scale::kQuick:
      return {100, 60, 1000, 25, 50, 1000};
    case Scale::kStandard:
      return {100, 60, 10000, 100, 250, 2000};
    case Scale::kPaper:
      return {100, 60, 50000, 250, 500, 0};
  }
  throw std::logic_error("no such scale");
}

std::vector<int64_t> hidden_layers(const SigmoidNet& net) {
  std::vector<int64_t> layers(static_cast<size_t>(net.layers));
  std::iota(layers.begin(), layers.end(), 1);
  return layers;
}

TrainSpec train_spec(const Setting& setting, int64_t seed, const SigmoidNet& net) {
  const SigmoidProtocol p = sigmoid_protocol(setting.scale);
  TrainSpec spec;
  spec.data = {setting.data.set, setting.data.digest};
  spec.model.name = "mlp";
  spec.model.options = {
      {"layers", static_cast<double>(net.layers)}, {"width", static_cast<double>(p.width)}, {"activation", "sigmoid"}};
  spec.model.norm.kind = net.bn ? "batch" : "none";
  spec.model.init = "glorot-normal";
  spec.model.init_scale = net.scale;
  spec.optimizer.lr = kRate;
  spec.batch = p.batch;
  spec.steps = p.steps;
  spec.seed = seed;
  spec.probes = {{"accuracy", 0, p.test_every, true, {{"split", "test"}, {"examples", p.test_examples}}},
                 {"activations", 0, p.observe_every, true, {{"layers", hidden_layers(net)}, {"samples", 512}}},
                 {"unit-percentiles", 0, p.observe_every, true, {{"layers", std::vector<int64_t>{net.layers}}}},
                 {"layer-gradients", 0, p.observe_every, false, {{"layers", hidden_layers(net)}}}};
  return spec;
}

/// sigma' = sigma*(1 - sigma) is below kSaturated beyond this distance from 0.
double where_saturated() {
  const double low = (1 - std::sqrt(1 - 4 * kSaturated)) / 2;  // the smaller sigma at which it is equal
  return std::log((1 - low) / low);
}

}  // namespace

ArmStyle look_of(const SigmoidNet& net) {
  return {fmt::format("{}{}", net.scale == 1 ? "" : fmt::format("{} × weights, ", net.scale), net.bn ? "BN" : "no BN"),
          net.bn ? colors::kRed : colors::kBlue, net.scale == 1 ? std::vector<int>{} : std::vector<int>{6, 4}};
}

Arm arm_of(const SigmoidNet& net) {
  ArmStyle style = look_of(net);
  style.arm = fmt::format("{} layers, {}", net.layers, style.arm);
  return {style, [net](const Setting& setting, int64_t seed) { return train_spec(setting, seed, net); }};
}

std::vector<Arm> arms_of(const std::vector<SigmoidNet>& nets) {
  std::vector<Arm> arms;
  for (const SigmoidNet& net : nets) arms.push_back(arm_of(net));
  return arms;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const SigmoidProtocol p = sigmoid_protocol(setting.scale);
  return {
      fmt::format(
          "The paper's network, {} hidden layers of {} sigmoids and a linear head, on {}, pixels z-scored: once "
          "with BN in front of every sigmoid, γ and β learned, and once without. Plain SGD at rate {}, batch {}, "
          "{} steps, Gaussian weights of Glorot's size, {} seed{}; both networks of a seed start from the same "
          "weights and see the same batches. The paper: binary MNIST images, \"small random Gaussian values\" as "
          "weights, batch 60, 50,000 steps; it gives no rate.",
          kPlain.layers, p.width, setting.data.title, kRate, p.batch, p.steps, setting.seeds.size(),
          setting.seeds.size() == 1 ? "" : "s"),
      fmt::format("The same with {} hidden layers, once with Glorot's weights and once with all weights {} times as "
                  "large, for two causes of small gradients: a sigmoid's derivative σ′ is never above 1/4, and it is "
                  "almost 0 where the sigmoid is saturated. Saturated means here: σ′ below {}, a tenth of its largest "
                  "value, which is so for inputs beyond ±{:.2f}.",
                  kDeepPlain.layers, kLargePlain.scale, kSaturated, where_saturated()),
      "At every look the same 128 training images pass through: 512 inputs of a layer's sigmoids are kept, and the "
      "15th, "
      "50th and 85th percentile of each unit's input in the last hidden layer. Gradients are those of the step's "
      "batch."};
}

Window at_start() {
  return {0, 1};
}
Window whole(const Setting& setting) {
  return {0, sigmoid_protocol(setting.scale).steps};
}
Window first_half(const Setting& setting) {
  return {0, whole(setting).end / 2};
}
Window second_half(const Setting& setting) {
  return {whole(setting).end / 2, whole(setting).end};
}

PerSeed test_accuracy(const ArmRuns& runs, const SigmoidNet& net, const Window& window) {
  return mean(runs, arm_of(net), {"accuracy", 0, "test_accuracy"}, window);
}

PerSeed saturated(const ArmRuns& runs, const SigmoidNet& net, int64_t layer, const Window& window) {
  const double bound = where_saturated();
  return each(runs, arm_of(net), [&](RunReader& run) {
    std::vector<double> shares;
    for (const ArrayRecord& look : run.arrays({"activations", layer, "samples"})) {
      if (look.step < window.begin || look.step >= window.end) continue;
      const std::vector<double> inputs = look.as_doubles();
      const auto count = std::count_if(inputs.begin(), inputs.end(), [&](double x) { return std::abs(x) > bound; });
      shares.push_back(static_cast<double>(count) / static_cast<double>(inputs.size()));
    }
    return mean_of(shares);
  });
}

PerSeed saturated(const ArmRuns& runs, const SigmoidNet& net, const Window& window) {
  std::vector<PerSeed> layers;
  for (const int64_t layer : hidden_layers(net)) layers.push_back(saturated(runs, net, layer, window));
  return mean_of_all(layers);
}

PerSeed gradient(const ArmRuns& runs, const SigmoidNet& net, int64_t layer, const Window& window) {
  const auto of = [&](int64_t number) {
    return mean(runs, arm_of(net), {"layer-gradients", number, "weight"}, window);
  };
  PerSeed decades = log_ratio(of(layer), of(net.layers));
  for (double& value : decades) value /= std::log(10);
  return decades;
}

std::vector<double> drifts_of_units(RunReader& run, int64_t layer, const Window& window) {
  std::vector<std::vector<double>> looks;  // of (3, units) each
  for (const ArrayRecord& look : run.arrays({"unit-percentiles", layer, "percentiles"})) {
    if (look.step >= window.begin && look.step < window.end) looks.push_back(look.as_doubles());
  }
  std::vector<double> drifts;
  const size_t units = looks.empty() ? 0 : looks.front().size() / 3;
  for (size_t unit = 0; unit < units; ++unit) {
    double ranges = 0, widths = 0;
    for (size_t percentile = 0; percentile < 3; ++percentile) {
      const size_t at = percentile * units + unit;
      const auto [least, most] =
          std::minmax_element(looks.begin(), looks.end(), [&](const auto& a, const auto& b) { return a[at] < b[at]; });
      ranges += (*most)[at] - (*least)[at];
    }
    for (const auto& look : looks) widths += look[2 * units + unit] - look[unit];
    drifts.push_back(ranges / 3 / (widths / static_cast<double>(looks.size())));
  }
  return drifts;
}

PerSeed drift(const ArmRuns& runs, const SigmoidNet& net, const Window& window) {
  return each(runs, arm_of(net), [&](RunReader& run) {
    std::vector<double> drifts = drifts_of_units(run, net.layers, window);
    if (drifts.empty()) return std::nan("");
    const auto middle = drifts.begin() + static_cast<std::ptrdiff_t>((drifts.size() - 1) / 2);
    std::nth_element(drifts.begin(), middle, drifts.end());
    return *middle;
  });
}

}  // namespace bnlab::sigmoids
